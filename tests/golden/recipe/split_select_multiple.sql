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
  /* 1. Split choices */
  SELECT
    "t0"."id",
    "t0"."full_name",
    CASE
      WHEN (
        "t0"."full_name" IS NULL
      )
      OR (
        BTRIM(
          "t0"."full_name",
          e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
        ) = ''
      )
      THEN NULL
      WHEN POSITION(
        ' tap ' IN ' ' || REGEXP_REPLACE(
          "t0"."full_name",
          '[\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000]+',
          ' ',
          'g'
        ) || ' '
      ) > 0
      THEN 1
      ELSE 0
    END AS "water_tap",
    CASE
      WHEN (
        "t0"."full_name" IS NULL
      )
      OR (
        BTRIM(
          "t0"."full_name",
          e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
        ) = ''
      )
      THEN NULL
      WHEN POSITION(
        ' 99 ' IN ' ' || REGEXP_REPLACE(
          "t0"."full_name",
          '[\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000]+',
          ' ',
          'g'
        ) || ' '
      ) > 0
      THEN 1
      ELSE 0
    END AS "water_99",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_0" AS "t0"
), "step_2" AS (
  /* 2. Split choices */
  SELECT
    "t0"."id",
    "t0"."full_name",
    "t0"."water_tap",
    "t0"."water_99",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers",
    CASE
      WHEN NULLIF("t0"."answers", CAST('null' AS JSONB)) IS NULL
      THEN NULL
      WHEN "t0"."answers" @> CAST('["well"]' AS JSONB)
      THEN 1
      ELSE 0
    END AS "answers_well"
  FROM "step_1" AS "t0"
)
SELECT
  "id",
  "full_name",
  "water_tap",
  "water_99",
  "district_id",
  "age",
  "weight",
  "joined",
  "seen_at",
  "active",
  "answers",
  "answers_well"
FROM "step_2";
