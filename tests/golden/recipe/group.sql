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
      "t0"."district_id",
      CAST(EXTRACT(YEAR FROM "t0"."joined") AS BIGINT) AS "joined_year",
      COUNT("t0"."id") AS "total",
      SUM("t0"."age") AS "sum_age",
      (
        MODE() WITHIN GROUP (ORDER BY
          ARRAY[LOWER("t0"."full_name"), "t0"."full_name"] COLLATE "C") FILTER(WHERE
          (
            TRUE
          ) AND NOT "t0"."full_name" IS NULL)
      )[2] AS "mode_full_name",
      (
        ARRAY_AGG(
          "t0"."weight" ORDER BY "t0"."seen_at" ASC, "t0"."id" COLLATE "C" ASC, "t0"."full_name" COLLATE "C" ASC, "t0"."district_id" ASC, "t0"."age" ASC, "t0"."weight" ASC, "t0"."joined" ASC, "t0"."active" ASC, CAST("t0"."answers" AS VARCHAR) COLLATE "C" ASC
        )
      )[1] AS "first_weight",
      ARRAY_TO_STRING(
        (
          ARRAY_AGG(DISTINCT ARRAY[LOWER("t0"."full_name"), "t0"."full_name"] COLLATE "C") FILTER(WHERE
            (
              NOT (
                (
                  "t0"."full_name" IS NULL
                )
                OR (
                  BTRIM(
                    "t0"."full_name",
                    e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
                  ) = ''
                )
              )
            )
            AND NOT "t0"."full_name" IS NULL)
        )[:][2:2],
        '; '
      ) AS "concat_distinct_full_name",
      COUNT(*) FILTER(WHERE
        "t0"."age" >= 18) AS "adults"
    FROM "step_0" AS "t0"
    GROUP BY
      1,
      2
  ) AS "t1"
  WHERE
    "t1"."total" > 1
)
SELECT
  "district_id",
  "joined_year",
  "total",
  "sum_age",
  "mode_full_name",
  "first_weight",
  "concat_distinct_full_name",
  "adults"
FROM "step_1";
