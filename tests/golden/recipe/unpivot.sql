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
  /* 1. Unpivot: columns to rows */
  SELECT
    "t0"."id",
    UNNEST(ARRAY['age', 'weight']) AS "measure",
    UNNEST(ARRAY[CAST("t0"."age" AS DECIMAL), "t0"."weight"]) AS "number"
  FROM "step_0" AS "t0"
), "step_2" AS (
  /* 2. Unpivot: columns to rows */
  SELECT
    "t0"."id",
    UNNEST(ARRAY['measure', 'number']) AS "what",
    UNNEST(ARRAY["t0"."measure", CAST(TRIM_SCALE("t0"."number") AS VARCHAR)]) AS "cell"
  FROM "step_1" AS "t0"
)
SELECT
  "id",
  "what",
  "cell"
FROM "step_2";
