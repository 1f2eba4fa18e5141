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
), "step_2" AS (
  /* 2. Keep the first rows */
  SELECT
    *
  FROM "step_0" AS "t0"
  ORDER BY
    "t0"."weight" DESC NULLS LAST,
    "t0"."id" COLLATE "C" ASC,
    "t0"."full_name" COLLATE "C" ASC,
    "t0"."district_id" ASC,
    "t0"."age" ASC,
    "t0"."joined" ASC,
    "t0"."seen_at" ASC,
    "t0"."active" ASC,
    CAST("t0"."answers" AS VARCHAR) COLLATE "C" ASC
  LIMIT 5
  OFFSET 2
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
FROM "step_2"
ORDER BY
  "step_2"."weight" DESC NULLS LAST;
