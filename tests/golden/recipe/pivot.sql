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
  /* 1. Pivot: values to columns */
  SELECT
    "t0"."district_id",
    CAST((
      PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY
        "t0"."age") FILTER(WHERE
        "t0"."full_name" = 'Asha')
    ) AS DECIMAL) AS "asha",
    CAST((
      PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY
        "t0"."age") FILTER(WHERE
        (
          "t0"."full_name" IS NULL
        )
        OR (
          BTRIM(
            "t0"."full_name",
            e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
          ) = ''
        )
        OR (
          "t0"."full_name" = '(blank)'
        ))
    ) AS DECIMAL) AS "blank"
  FROM "step_0" AS "t0"
  GROUP BY
    1
), "step_2" AS (
  /* 2. Unpivot: columns to rows */
  SELECT
    "t0"."district_id",
    UNNEST(ARRAY['Asha', '(blank)']) AS "name",
    UNNEST(ARRAY["t0"."asha", "t0"."blank"]) AS "age"
  FROM "step_1" AS "t0"
), "step_3" AS (
  /* 3. Pivot: values to columns */
  SELECT
    COUNT(*) FILTER(WHERE
      "t0"."district_id" = 3) AS "_3",
    COUNT(*) FILTER(WHERE
      "t0"."district_id" = 4) AS "_4",
    COUNT(*) FILTER(WHERE
      "t0"."district_id" IS NULL) AS "blank"
  FROM "step_2" AS "t0"
)
SELECT
  "_3",
  "_4",
  "blank"
FROM "step_3";
