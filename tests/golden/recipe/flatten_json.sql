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
), "step_1_1" AS (
  /* 1. Flatten JSON */
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
      JSONB_EXTRACT_PATH("t0"."answers", 'hh/size') #>> '{}'
    ) AS "size",
    NULLIF(
      BTRIM(
        (
          COALESCE(
            JSONB_EXTRACT_PATH("t0"."answers", 'head.born'),
            JSONB_EXTRACT_PATH("t0"."answers", 'head', 'born')
          ) #>> '{}'
        ),
        e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
      ),
      ''
    ) AS "born",
    NULLIF(JSONB_EXTRACT_PATH("t0"."answers", 'kids'), CAST('null' AS JSONB)) AS "kids"
  FROM "step_0" AS "t0"
), "step_1" AS (
  /* 1. Flatten JSON */
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
    "t0"."size",
    CAST(CASE
      WHEN "t0"."born" ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]00:00(:00(\.0+)?)?)?$'
      AND PG_INPUT_IS_VALID("t0"."born", 'date')
      THEN "t0"."born"
      ELSE NULL
    END AS DATE) AS "born",
    "t0"."kids"
  FROM "step_1_1" AS "t0"
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
  "size",
  "born",
  "kids"
FROM "step_1";
