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
  /* 1. Keep the top rows */
  SELECT
    "t2"."id",
    "t2"."full_name",
    "t2"."district_id",
    "t2"."age",
    "t2"."weight",
    "t2"."joined",
    "t2"."seen_at",
    "t2"."active",
    "t2"."answers"
  FROM (
    SELECT
      *
    FROM (
      SELECT
        "t0"."id",
        "t0"."full_name",
        "t0"."district_id",
        "t0"."age",
        "t0"."weight",
        "t0"."joined",
        "t0"."seen_at",
        "t0"."active",
        "t0"."answers",
        ROW_NUMBER() OVER (
          PARTITION BY "t0"."district_id"
          ORDER BY "t0"."age" DESC NULLS LAST, "t0"."id" COLLATE "C" ASC, "t0"."full_name" COLLATE "C" ASC, "t0"."district_id" ASC, "t0"."weight" ASC, "t0"."joined" ASC, "t0"."seen_at" ASC, "t0"."active" ASC, CAST("t0"."answers" AS VARCHAR) COLLATE "C" ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) - 1 AS "place"
      FROM "step_0" AS "t0"
    ) AS "t1"
    WHERE
      "t1"."place" < 3
  ) AS "t2"
), "step_2" AS (
  /* 2. Keep the top rows */
  SELECT
    *
  FROM "step_1" AS "t0"
  ORDER BY
    "t0"."joined" ASC,
    "t0"."age" DESC NULLS LAST,
    "t0"."id" COLLATE "C" ASC,
    "t0"."full_name" COLLATE "C" ASC,
    "t0"."district_id" ASC,
    "t0"."weight" ASC,
    "t0"."seen_at" ASC,
    "t0"."active" ASC,
    CAST("t0"."answers" AS VARCHAR) COLLATE "C" ASC
  LIMIT 10
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
  "step_2"."joined" ASC,
  "step_2"."age" DESC NULLS LAST;
