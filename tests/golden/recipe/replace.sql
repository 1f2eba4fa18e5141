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
  /* 1. Replace text */
  SELECT
    "t0"."id",
    REPLACE("t0"."full_name", 'O''', 'O’') AS "full_name",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_0" AS "t0"
), "step_2" AS (
  /* 2. Replace text */
  SELECT
    REGEXP_REPLACE("t0"."id", '***=hh.', '\\1', 'gi') AS "id",
    "t0"."full_name",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_1" AS "t0"
), "step_3" AS (
  /* 3. Replace text */
  SELECT
    REGEXP_REPLACE("t0"."id", '([0-9]+)-([0-9]+)', '\2-\1', 'g') AS "id",
    REGEXP_REPLACE("t0"."full_name", '([0-9]+)-([0-9]+)', '\2-\1', 'g') AS "full_name",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_2" AS "t0"
), "step_4" AS (
  /* 4. Replace text */
  SELECT
    CASE WHEN LOWER("t0"."id") = LOWER('none') THEN 'unknown' ELSE "t0"."id" END AS "id",
    "t0"."full_name",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_3" AS "t0"
), "step_5" AS (
  /* 5. Replace text */
  SELECT
    "t0"."id",
    CASE "t0"."full_name"
      WHEN 'Asha'
      THEN 'Asha Devi'
      WHEN '?'
      THEN NULL
      ELSE "t0"."full_name"
    END AS "full_name",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_4" AS "t0"
)
SELECT
  "id",
  "full_name",
  "district_id",
  "age",
  "weight",
  "joined",
  "seen_at",
  "active",
  "answers"
FROM "step_5";
