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
  /* 1. Add a column */
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
    CAST("t0"."weight" AS DECIMAL) / NULLIF(CAST("t0"."age" AS DECIMAL), 0) AS "bmi"
  FROM "step_0" AS "t0"
), "step_2" AS (
  /* 2. Add a column */
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
    "t0"."bmi",
    NULLIF(
      CONCAT_WS(
        '-',
        CASE
          WHEN BTRIM(
            "t0"."full_name",
            e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
          ) <> ''
          THEN "t0"."full_name"
          ELSE NULL
        END,
        CASE
          WHEN BTRIM(
            CAST(TRIM_SCALE("t0"."weight") AS VARCHAR),
            e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
          ) <> ''
          THEN CAST(TRIM_SCALE("t0"."weight") AS VARCHAR)
          ELSE NULL
        END
      ),
      ''
    ) AS "label"
  FROM "step_1" AS "t0"
), "step_3" AS (
  /* 3. Add a column */
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
    "t0"."bmi",
    "t0"."label",
    CAST(EXTRACT(ISODOW FROM "t0"."joined") AS BIGINT) AS "weekday"
  FROM "step_2" AS "t0"
), "step_4" AS (
  /* 4. Add a column */
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
    "t0"."bmi",
    "t0"."label",
    "t0"."weekday",
    'O''Hare' AS "form"
  FROM "step_3" AS "t0"
), "step_5" AS (
  /* 5. Add a column */
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
    "t0"."bmi",
    "t0"."label",
    "t0"."weekday",
    "t0"."form",
    (
      (
        (
          CAST(EXTRACT(YEAR FROM "t0"."seen_at") AS BIGINT) - CAST(EXTRACT(YEAR FROM "t0"."joined") AS BIGINT)
        ) * 12
      ) + (
        CAST(EXTRACT(MONTH FROM "t0"."seen_at") AS BIGINT) - CAST(EXTRACT(MONTH FROM "t0"."joined") AS BIGINT)
      )
    ) - CASE
      WHEN (
        (
          CAST("t0"."seen_at" AS DATE) - CAST("t0"."joined" AS DATE)
        ) > 0
      )
      AND (
        (
          CAST(EXTRACT(DAY FROM "t0"."seen_at") AS BIGINT) - CAST(EXTRACT(DAY FROM "t0"."joined") AS BIGINT)
        ) < 0
      )
      THEN 1
      WHEN (
        (
          CAST("t0"."seen_at" AS DATE) - CAST("t0"."joined" AS DATE)
        ) < 0
      )
      AND (
        (
          CAST(EXTRACT(DAY FROM "t0"."seen_at") AS BIGINT) - CAST(EXTRACT(DAY FROM "t0"."joined") AS BIGINT)
        ) > 0
      )
      THEN -1
      ELSE 0
    END AS "months"
  FROM "step_4" AS "t0"
), "step_6" AS (
  /* 6. Add a column */
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
    "t0"."bmi",
    "t0"."label",
    "t0"."weekday",
    "t0"."form",
    "t0"."months",
    CASE
      WHEN (
        (
          (
            CAST("t0"."seen_at" AS DATE) - CAST(MAKE_DATE(1, 1, 1) AS DATE)
          ) + (
            2 * 7
          )
        ) >= 0
      )
      AND (
        (
          (
            CAST("t0"."seen_at" AS DATE) - CAST(MAKE_DATE(1, 1, 1) AS DATE)
          ) + (
            2 * 7
          )
        ) <= 3652058
      )
      THEN (
        "t0"."seen_at" + (
          2 * 7
        ) * MAKE_INTERVAL(0, 0, 0, 1)
      )
      ELSE NULL
    END AS "next_visit"
  FROM "step_5" AS "t0"
), "step_7" AS (
  /* 7. Add a column */
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
    "t0"."bmi",
    "t0"."label",
    "t0"."weekday",
    "t0"."form",
    "t0"."months",
    "t0"."next_visit",
    CASE
      WHEN (
        (
          (
            CAST(EXTRACT(YEAR FROM "t0"."joined") AS BIGINT) * 12
          ) + CAST(EXTRACT(MONTH FROM "t0"."joined") AS BIGINT) + (
            -1 * 3
          )
        ) >= 13
      )
      AND (
        (
          (
            CAST(EXTRACT(YEAR FROM "t0"."joined") AS BIGINT) * 12
          ) + CAST(EXTRACT(MONTH FROM "t0"."joined") AS BIGINT) + (
            -1 * 3
          )
        ) <= 120000
      )
      THEN CAST((
        "t0"."joined" + (
          -1 * 3
        ) * MAKE_INTERVAL(0, 1)
      ) AS DATE)
      ELSE NULL
    END AS "review"
  FROM "step_6" AS "t0"
), "step_8" AS (
  /* 8. Add a column */
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
    "t0"."bmi",
    "t0"."label",
    "t0"."weekday",
    "t0"."form",
    "t0"."months",
    "t0"."next_visit",
    "t0"."review",
    DIV(
      (
        (
          (
            CAST(EXTRACT(YEAR FROM MAKE_DATE(2026, 3, 18)) AS BIGINT) - CAST(EXTRACT(YEAR FROM "t0"."joined") AS BIGINT)
          ) * 12
        ) + (
          CAST(EXTRACT(MONTH FROM MAKE_DATE(2026, 3, 18)) AS BIGINT) - CAST(EXTRACT(MONTH FROM "t0"."joined") AS BIGINT)
        )
      ) - CASE
        WHEN (
          (
            CAST(MAKE_DATE(2026, 3, 18) AS DATE) - CAST("t0"."joined" AS DATE)
          ) > 0
        )
        AND (
          (
            CAST(EXTRACT(DAY FROM MAKE_DATE(2026, 3, 18)) AS BIGINT) - CAST(EXTRACT(DAY FROM "t0"."joined") AS BIGINT)
          ) < 0
        )
        THEN 1
        WHEN (
          (
            CAST(MAKE_DATE(2026, 3, 18) AS DATE) - CAST("t0"."joined" AS DATE)
          ) < 0
        )
        AND (
          (
            CAST(EXTRACT(DAY FROM MAKE_DATE(2026, 3, 18)) AS BIGINT) - CAST(EXTRACT(DAY FROM "t0"."joined") AS BIGINT)
          ) > 0
        )
        THEN -1
        ELSE 0
      END,
      12
    ) AS "years"
  FROM "step_7" AS "t0"
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
  "bmi",
  "label",
  "weekday",
  "form",
  "months",
  "next_visit",
  "review",
  "years"
FROM "step_8";
