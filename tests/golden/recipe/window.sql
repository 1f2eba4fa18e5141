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
  /* 2. Compute across rows */
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
    (
      ROW_NUMBER() OVER (
        PARTITION BY "t0"."district_id"
        ORDER BY "t0"."age" DESC NULLS LAST, "t0"."seen_at" ASC, "t0"."id" COLLATE "C" ASC, "t0"."full_name" COLLATE "C" ASC, "t0"."district_id" ASC, "t0"."weight" ASC, "t0"."joined" ASC, "t0"."active" ASC, CAST("t0"."answers" AS VARCHAR) COLLATE "C" ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ) - 1
    ) + 1 AS "place"
  FROM "step_0" AS "t0"
), "step_3" AS (
  /* 3. Compute across rows */
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
    "t0"."place",
    FIRST_VALUE("t0"."weight") OVER (
      PARTITION BY "t0"."district_id"
      ORDER BY "t0"."seen_at" DESC NULLS LAST, "t0"."id" COLLATE "C" DESC, "t0"."full_name" COLLATE "C" DESC, "t0"."district_id" DESC, "t0"."age" DESC, "t0"."weight" DESC, "t0"."joined" DESC, "t0"."active" DESC, CAST("t0"."answers" AS VARCHAR) COLLATE "C" DESC, "t0"."place" DESC
      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    ) AS "last_weight"
  FROM "step_2" AS "t0"
), "step_4" AS (
  /* 4. Compute across rows */
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
    "t0"."place",
    "t0"."last_weight",
    (
      (
        MAX(
          CASE
            WHEN NOT "t0"."full_name" IS NULL
            THEN ARRAY[LOWER("t0"."full_name"), "t0"."full_name"] COLLATE "C"
          END
        ) OVER (ORDER BY "t0"."joined" ASC RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
      )
    )[2] AS "so_far"
  FROM "step_3" AS "t0"
), "step_5" AS (
  /* 5. Compute across rows */
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
    "t0"."place",
    "t0"."last_weight",
    "t0"."so_far",
    CAST((
      CAST("t0"."age" AS DECIMAL) * 100
    ) AS DECIMAL) / NULLIF(
      CAST((
        SUM("t0"."age") OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
      ) AS DECIMAL),
      0
    ) AS "share"
  FROM "step_4" AS "t0"
), "step_6" AS (
  /* 6. Keep columns */
  SELECT
    "t0"."id",
    "t0"."place",
    "t0"."last_weight",
    "t0"."so_far",
    "t0"."share",
    "t0"."seen_at"
  FROM "step_5" AS "t0"
)
SELECT
  "id",
  "place",
  "last_weight",
  "so_far",
  "share"
FROM "step_6"
ORDER BY
  "step_6"."seen_at" ASC;
