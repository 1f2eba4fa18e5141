WITH "step_0" AS (
  /* 0. Start from */
  SELECT
    "t0"."id",
    "t0"."full_name",
    "t0"."district_id",
    "t0"."age",
    CAST("t0"."weight" AS DECIMAL) AS "weight",
    "t0"."joined",
    CAST("t0"."seen_at" AS TIMESTAMP) AS "seen_at",
    "t0"."active",
    CAST("t0"."answers" AS JSONB) AS "answers"
  FROM "org_a_data"."v_beneficiaries" AS "t0"
), "step_1" AS (
  /* 1. Extract text */
  SELECT
    "t0"."id",
    NULLIF(REGEXP_SUBSTR("t0"."id", 'HH-([0-9]+)', 1, 1, '', 1), '') AS "household",
    "t0"."full_name",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_0" AS "t0"
), "step_2" AS (
  /* 2. Extract text */
  SELECT
    "t0"."id",
    "t0"."household",
    "t0"."full_name",
    NULLIF(
      CASE
        WHEN POSITION(
          ')' IN CASE
            WHEN POSITION('(' IN "t0"."full_name") > 0
            THEN SUBSTRING("t0"."full_name" FROM POSITION('(' IN "t0"."full_name") + 1)
            ELSE NULL
          END
        ) > 0
        THEN LEFT(
          CASE
            WHEN POSITION('(' IN "t0"."full_name") > 0
            THEN SUBSTRING("t0"."full_name" FROM POSITION('(' IN "t0"."full_name") + 1)
            ELSE NULL
          END,
          POSITION(
            ')' IN CASE
              WHEN POSITION('(' IN "t0"."full_name") > 0
              THEN SUBSTRING("t0"."full_name" FROM POSITION('(' IN "t0"."full_name") + 1)
              ELSE NULL
            END
          ) - 1
        )
        ELSE NULL
      END,
      ''
    ) AS "in_brackets",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_1" AS "t0"
), "step_3" AS (
  /* 3. Extract text */
  SELECT
    "t0"."id",
    "t0"."household",
    "t0"."full_name",
    NULLIF(
      CASE
        WHEN POSITION(' ' IN "t0"."full_name") > 0
        THEN LEFT("t0"."full_name", POSITION(' ' IN "t0"."full_name") - 1)
        ELSE NULL
      END,
      ''
    ) AS "given",
    "t0"."in_brackets",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_2" AS "t0"
), "step_4" AS (
  /* 4. Extract text */
  SELECT
    "t0"."id",
    NULLIF(RIGHT("t0"."id", 1), '') AS "check_digit",
    "t0"."household",
    "t0"."full_name",
    "t0"."given",
    "t0"."in_brackets",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_3" AS "t0"
)
SELECT
  "id",
  "check_digit",
  "household",
  "full_name",
  "given",
  "in_brackets",
  "district_id",
  "age",
  "weight",
  "joined",
  "seen_at",
  "active",
  "answers"
FROM "step_4";
