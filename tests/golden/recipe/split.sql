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
  /* 1. Split text */
  SELECT
    "t0"."id",
    "t0"."full_name",
    NULLIF(SPLIT_PART("t0"."full_name", ' ', 1), '') AS "given",
    NULLIF(
      SUBSTRING("t0"."full_name" FROM 2 + LENGTH(SPLIT_PART("t0"."full_name", ' ', 1))),
      ''
    ) AS "family",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_0" AS "t0"
), "step_2" AS (
  /* 2. Split text */
  SELECT
    "t0"."id",
    NULLIF(
      CASE
        WHEN REGEXP_INSTR("t0"."full_name", '[-'']', 1, 1, 0) > 0
        THEN LEFT(
          SUBSTRING("t0"."full_name" FROM 1),
          REGEXP_INSTR("t0"."full_name", '[-'']', 1, 1, 0) - 1
        )
        ELSE SUBSTRING("t0"."full_name" FROM 1)
      END,
      ''
    ) AS "house",
    NULLIF(
      SUBSTRING("t0"."full_name" FROM CASE
        WHEN REGEXP_INSTR("t0"."full_name", '[-'']', 1, 1, 0) > 0
        THEN REGEXP_INSTR("t0"."full_name", '[-'']', 1, 1, 1)
        ELSE LENGTH("t0"."full_name") + 1
      END),
      ''
    ) AS "born",
    "t0"."given",
    "t0"."family",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_1" AS "t0"
), "step_3" AS (
  /* 3. Split text */
  SELECT
    NULLIF(SUBSTRING("t0"."id" FROM 1 FOR 2), '') AS "state",
    NULLIF(SUBSTRING("t0"."id" FROM 3), '') AS "number",
    "t0"."house",
    "t0"."born",
    "t0"."given",
    "t0"."family",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_2" AS "t0"
)
SELECT
  "state",
  "number",
  "house",
  "born",
  "given",
  "family",
  "district_id",
  "age",
  "weight",
  "joined",
  "seen_at",
  "active",
  "answers"
FROM "step_3";
