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
  /* 1. Rename columns */
  SELECT
    "t0"."id" AS "full_name_2",
    "t0"."full_name" AS "nam",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_0" AS "t0"
)
SELECT
  "full_name_2" AS "full_name",
  "nam",
  "district_id",
  "age",
  "weight",
  "joined",
  "seen_at",
  "active",
  "answers"
FROM "step_1";
