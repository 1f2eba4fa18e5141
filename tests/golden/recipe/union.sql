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
  /* 1. Keep columns */
  SELECT
    "t0"."id",
    "t0"."full_name",
    "t0"."joined"
  FROM "step_0" AS "t0"
), "step_2_1" AS (
  /* 2. Add rows of other tables */
  SELECT
    "t0"."id",
    "t0"."full_name",
    "t0"."joined",
    CAST(NULL AS VARCHAR) AS "name",
    CAST(NULL AS VARCHAR) AS "state",
    'beneficiaries' AS "from"
  FROM "step_1" AS "t0"
), "step_2_2" AS (
  /* 2. Add rows of other tables */
  SELECT
    CAST("t0"."id" AS VARCHAR) AS "id",
    CAST(NULL AS VARCHAR) AS "full_name",
    CAST(NULL AS DATE) AS "joined",
    "t0"."name",
    "t0"."state",
    'districts' AS "from"
  FROM "org_a_data"."v_districts" AS "t0"
), "step_2" AS (
  /* 2. Add rows of other tables */
  SELECT
    *
  FROM "step_2_1" AS "t0"
  UNION ALL
  SELECT
    *
  FROM "step_2_2" AS "t1"
)
SELECT
  "id",
  "full_name",
  "joined",
  "name",
  "state",
  "from"
FROM "step_2";
