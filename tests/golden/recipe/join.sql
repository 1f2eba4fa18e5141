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
  /* 1. Join a table */
  SELECT
    "t2"."id",
    "t2"."full_name",
    COALESCE("t2"."district_id", "t4"."key") AS "district_id",
    "t2"."age",
    "t2"."weight",
    "t2"."joined",
    "t2"."seen_at",
    "t2"."active",
    "t2"."answers",
    "t4"."districts_name"
  FROM "step_0" AS "t2"
  FULL OUTER JOIN (
    SELECT
      "t1"."name" AS "districts_name",
      "t1"."id" AS "key"
    FROM "org_a_data"."v_districts" AS "t1"
  ) AS "t4"
    ON "t2"."district_id" = "t4"."key"
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
  "answers",
  "districts_name"
FROM "step_1";
