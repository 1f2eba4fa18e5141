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
  /* 1. Change type */
  SELECT
    NULLIF(
      BTRIM(
        "t0"."id",
        e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
      ),
      ''
    ) AS "id",
    NULLIF(
      BTRIM(
        "t0"."full_name",
        e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
      ),
      ''
    ) AS "full_name",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    NULLIF(
      BTRIM(
        (
          "t0"."answers" #>> '{}'
        ),
        e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
      ),
      ''
    ) AS "answers"
  FROM "step_0" AS "t0"
), "step_1" AS (
  /* 1. Change type */
  SELECT
    TRUNC(
      CAST(CASE
        WHEN "t0"."id" ~ '^[+-]?([0-9]+|[0-9]{1,3}([,][0-9]{2,3})*[,][0-9]{3})([\.]0*)?$'
        AND PG_INPUT_IS_VALID(TRANSLATE("t0"."id", '.,', '.'), 'numeric')
        THEN TRANSLATE("t0"."id", '.,', '.')
        ELSE NULL
      END AS DECIMAL)
    ) AS "id",
    CAST(CASE
      WHEN "t0"."full_name" ~ '(?i)^(0?[1-9]|[12][0-9]|3[01])/(0?[1-9]|1[0-2])/([0-9]{4})$'
      AND PG_INPUT_IS_VALID(
        SPLIT_PART("t0"."full_name", '/', 3) || '-' || SPLIT_PART("t0"."full_name", '/', 2) || '-' || SPLIT_PART("t0"."full_name", '/', 1) || ' 00:00:00',
        'date'
      )
      THEN SPLIT_PART("t0"."full_name", '/', 3) || '-' || SPLIT_PART("t0"."full_name", '/', 2) || '-' || SPLIT_PART("t0"."full_name", '/', 1) || ' 00:00:00'
      ELSE NULL
    END AS DATE) AS "full_name",
    "t0"."district_id",
    "t0"."age",
    CAST(TRIM_SCALE("t0"."weight") AS VARCHAR) AS "weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    CASE
      WHEN LOWER("t0"."answers") IN ('1', 'true', 'y', 'yes')
      THEN TRUE
      WHEN LOWER("t0"."answers") IN ('0', 'false', 'n', 'no')
      THEN FALSE
      ELSE NULL
    END AS "answers"
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
  "answers"
FROM "step_1";
