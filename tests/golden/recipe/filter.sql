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
  /* 1. Filter rows */
  SELECT
    *
  FROM "step_0" AS "t0"
  WHERE
    "t0"."seen_at" >= CAST('2026-01-01T00:00:00' AS TIMESTAMP)
    AND "t0"."seen_at" < CAST('2026-02-01T00:00:00' AS TIMESTAMP)
), "step_2" AS (
  /* 2. Filter rows: only those we still serve */
  SELECT
    *
  FROM "step_1" AS "t0"
  WHERE
    NOT (
      COALESCE(
        (
          POSITION(LOWER('50% o''') IN LOWER("t0"."full_name")) > 0
        )
        OR NOT (
          COALESCE("t0"."age" < 18, FALSE)
        )
        OR (
          (
            (
              "t0"."joined" >= MAKE_DATE(2025, 10, 1)
            )
            AND (
              "t0"."joined" <= MAKE_DATE(2026, 3, 18)
            )
          )
          OR "t0"."answers" @> CAST('["tap"]' AS JSONB)
        ),
        FALSE
      )
    )
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
FROM "step_2";
