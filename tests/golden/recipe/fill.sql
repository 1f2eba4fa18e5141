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
  /* 1. Fill empty cells */
  SELECT
    "t0"."id",
    COALESCE(
      CASE
        WHEN BTRIM(
          "t0"."full_name",
          e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
        ) <> ''
        THEN "t0"."full_name"
        ELSE NULL
      END,
      'nobody',
      "t0"."full_name"
    ) AS "full_name",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_0" AS "t0"
), "step_2" AS (
  /* 2. Fill empty cells */
  SELECT
    "t3"."id",
    "t3"."full_name",
    COALESCE(
      "t3"."district_id",
      FIRST_VALUE("t3"."clean_of_district_id") OVER (
        PARTITION BY "t3"."active", "t3"."mark_of_district_id"
        ORDER BY "t3"."clean_of_district_id" IS NULL ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      )
    ) AS "district_id",
    "t3"."age",
    "t3"."weight",
    "t3"."joined",
    "t3"."seen_at",
    "t3"."active",
    "t3"."answers"
  FROM (
    SELECT
      "t2"."id",
      "t2"."full_name",
      "t2"."district_id",
      "t2"."age",
      "t2"."weight",
      "t2"."joined",
      "t2"."seen_at",
      "t2"."active",
      "t2"."answers",
      "t2"."clean_of_district_id",
      "t2"."place_of_district_id",
      COUNT("t2"."clean_of_district_id") OVER (
        PARTITION BY "t2"."active"
        ORDER BY "t2"."place_of_district_id" ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS "mark_of_district_id"
    FROM (
      SELECT
        "t1"."id",
        "t1"."full_name",
        "t1"."district_id",
        "t1"."age",
        "t1"."weight",
        "t1"."joined",
        "t1"."seen_at",
        "t1"."active",
        "t1"."answers",
        "t1"."clean_of_district_id",
        ROW_NUMBER() OVER (
          ORDER BY "t1"."joined" ASC, "t1"."id" COLLATE "C" ASC, "t1"."full_name" COLLATE "C" ASC, "t1"."district_id" ASC, "t1"."age" ASC, "t1"."weight" ASC, "t1"."seen_at" ASC, "t1"."active" ASC, CAST("t1"."answers" AS VARCHAR) COLLATE "C" ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) - 1 AS "place_of_district_id"
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
          "t0"."district_id" AS "clean_of_district_id"
        FROM "step_1" AS "t0"
      ) AS "t1"
    ) AS "t2"
  ) AS "t3"
), "step_3" AS (
  /* 3. Fill empty cells */
  SELECT
    "t1"."id",
    "t1"."full_name",
    "t1"."district_id",
    COALESCE(
      "t1"."age",
      AVG(
        CASE
          WHEN (
            "t1"."place_of_age" >= -2
          ) AND (
            "t1"."place_of_age" <= 0
          )
          THEN "t1"."age"
          ELSE NULL
        END
      ) OVER (
        PARTITION BY "t1"."district_id"
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      )
    ) AS "age",
    "t1"."weight",
    "t1"."joined",
    "t1"."seen_at",
    "t1"."active",
    "t1"."answers"
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
        (
          ROW_NUMBER() OVER (
            PARTITION BY "t0"."district_id"
            ORDER BY "t0"."age" ASC
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
          ) - 1
        ) * 2
      ) - COUNT("t0"."age") OVER (
        PARTITION BY "t0"."district_id"
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ) AS "place_of_age"
    FROM "step_2" AS "t0"
  ) AS "t1"
), "step_4" AS (
  /* 4. Fill empty cells */
  SELECT
    "t2"."id",
    COALESCE(
      CASE
        WHEN BTRIM(
          "t2"."full_name",
          e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
        ) <> ''
        THEN "t2"."full_name"
        ELSE NULL
      END,
      FIRST_VALUE("t2"."clean_of_full_name") OVER (
        ORDER BY "t2"."count_of_full_name" DESC NULLS LAST, LOWER("t2"."clean_of_full_name") COLLATE "C" ASC, "t2"."clean_of_full_name" COLLATE "C" ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ),
      "t2"."full_name"
    ) AS "full_name",
    "t2"."district_id",
    "t2"."age",
    "t2"."weight",
    "t2"."joined",
    "t2"."seen_at",
    "t2"."active",
    "t2"."answers"
  FROM (
    SELECT
      "t1"."id",
      "t1"."full_name",
      "t1"."district_id",
      "t1"."age",
      "t1"."weight",
      "t1"."joined",
      "t1"."seen_at",
      "t1"."active",
      "t1"."answers",
      "t1"."clean_of_full_name",
      COUNT("t1"."clean_of_full_name") OVER (
        PARTITION BY "t1"."clean_of_full_name"
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ) AS "count_of_full_name"
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
        CASE
          WHEN BTRIM(
            "t0"."full_name",
            e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
          ) <> ''
          THEN "t0"."full_name"
          ELSE NULL
        END AS "clean_of_full_name"
      FROM "step_3" AS "t0"
    ) AS "t1"
  ) AS "t2"
), "step_5" AS (
  /* 5. Fill empty cells */
  SELECT
    "t0"."id",
    "t0"."full_name",
    "t0"."district_id",
    "t0"."age",
    COALESCE(
      "t0"."weight",
      AVG("t0"."weight") OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ) AS "weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_4" AS "t0"
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
FROM "step_5";
