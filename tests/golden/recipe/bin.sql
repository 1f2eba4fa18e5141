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
  /* 1. Put into ranges */
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
    CASE
      WHEN "t0"."age" < 0
      THEN NULL
      WHEN "t0"."age" < 18
      THEN 'child'
      WHEN "t0"."age" <= CAST('60.5' AS DECIMAL)
      THEN 'adult'
      ELSE NULL
    END AS "age_group"
  FROM "step_0" AS "t0"
), "step_2" AS (
  /* 2. Put into ranges */
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
    "t0"."age_group",
    CAST(TRIM_SCALE(
      CAST("t0"."weight" AS DECIMAL) - (
        (
          (
            CAST("t0"."weight" AS DECIMAL) % NULLIF(CAST(5 AS DECIMAL), 0)
          ) + NULLIF(CAST(5 AS DECIMAL), 0)
        ) % NULLIF(CAST(5 AS DECIMAL), 0)
      )
    ) AS VARCHAR) || ' to ' || CAST(TRIM_SCALE(
      (
        CAST("t0"."weight" AS DECIMAL) - (
          (
            (
              CAST("t0"."weight" AS DECIMAL) % NULLIF(CAST(5 AS DECIMAL), 0)
            ) + NULLIF(CAST(5 AS DECIMAL), 0)
          ) % NULLIF(CAST(5 AS DECIMAL), 0)
        )
      ) + 5
    ) AS VARCHAR) AS "by_five"
  FROM "step_1" AS "t0"
), "step_3" AS (
  /* 3. Put into ranges */
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
    "t0"."age_group",
    "t0"."by_five",
    CASE
      WHEN "t0"."weight" IS NULL
      THEN NULL
      ELSE CASE DIV(
          (
            (
              COUNT("t0"."weight") OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) - 1
            ) - (
              RANK() OVER (
                ORDER BY "t0"."weight" DESC NULLS LAST
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
              ) - 1
            )
          ) * 3,
          NULLIF(
            COUNT("t0"."weight") OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) - 1,
            0
          )
        )
        WHEN 0
        THEN 'Q1'
        WHEN 1
        THEN 'Q2'
        ELSE 'Q3'
      END
    END AS "third"
  FROM "step_2" AS "t0"
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
  "age_group",
  "by_five",
  "third"
FROM "step_3";
