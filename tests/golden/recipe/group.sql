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
  /* 1. Group and summarise */
  SELECT
    *
  FROM (
    SELECT
      "t1"."district_id",
      CAST(EXTRACT(YEAR FROM "t1"."joined") AS BIGINT) AS "joined_year",
      COUNT("t1"."id") AS "total",
      SUM("t1"."age") AS "sum_age",
      (
        MODE() WITHIN GROUP (ORDER BY
          ARRAY[LOWER("t1"."full_name"), "t1"."full_name"] COLLATE "C") FILTER(WHERE
          (
            TRUE
          ) AND NOT "t1"."full_name" IS NULL)
      )[2] AS "mode_full_name",
      (
        ARRAY_AGG(
          "t1"."weight" ORDER BY "t1"."seen_at" ASC, "t1"."id" COLLATE "C" ASC, "t1"."full_name" COLLATE "C" ASC, "t1"."district_id" ASC, "t1"."age" ASC, "t1"."weight" ASC, "t1"."joined" ASC, "t1"."active" ASC, CAST("t1"."answers" AS VARCHAR) COLLATE "C" ASC
        )
      )[1] AS "first_weight",
      ARRAY_TO_STRING(
        (
          ARRAY_AGG(DISTINCT ARRAY[LOWER("t1"."full_name"), "t1"."full_name"] COLLATE "C") FILTER(WHERE
            (
              NOT (
                (
                  "t1"."full_name" IS NULL
                )
                OR (
                  BTRIM(
                    "t1"."full_name",
                    e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
                  ) = ''
                )
              )
            )
            AND NOT "t1"."full_name" IS NULL)
        )[:][2:2],
        '; '
      ) AS "concat_distinct_full_name",
      STRING_AGG(CAST("t1"."age" AS VARCHAR), ', '
      ORDER BY
        "t1"."weight" ASC,
        "t1"."age" ASC) FILTER(WHERE
        "t1"."first_5" AND NOT (
          "t1"."age" IS NULL
        )) AS "ages_by_weight",
      CAST((
        PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY
          "t1"."age")
      ) AS DECIMAL) AS "percentile_age",
      COUNT(*) FILTER(WHERE
        "t1"."age" >= 18) AS "adults"
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
        (
          ROW_NUMBER() OVER (
            PARTITION BY "t0"."district_id", CAST(EXTRACT(YEAR FROM "t0"."joined") AS BIGINT), CAST("t0"."age" AS VARCHAR)
            ORDER BY "t0"."weight" ASC, "t0"."id" COLLATE "C" ASC, "t0"."full_name" COLLATE "C" ASC, "t0"."district_id" ASC, "t0"."age" ASC, "t0"."joined" ASC, "t0"."seen_at" ASC, "t0"."active" ASC, CAST("t0"."answers" AS VARCHAR) COLLATE "C" ASC
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
          ) - 1
        ) = 0 AS "first_5"
      FROM "step_0" AS "t0"
    ) AS "t1"
    GROUP BY
      1,
      2
  ) AS "t2"
  WHERE
    "t2"."total" > 1
)
SELECT
  "district_id",
  "joined_year",
  "total",
  "sum_age",
  "mode_full_name",
  "first_weight",
  "concat_distinct_full_name",
  "ages_by_weight",
  "percentile_age",
  "adults"
FROM "step_1";
