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
  /* 1. Remove blank rows */
  SELECT
    *
  FROM "step_0" AS "t0"
  WHERE
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
      OR (
        "t0"."joined" IS NULL
      )
    )
), "step_2" AS (
  /* 2. Remove blank rows */
  SELECT
    *
  FROM "step_1" AS "t0"
  WHERE
    NOT (
      (
        (
          "t0"."id" IS NULL
        )
        OR (
          BTRIM(
            "t0"."id",
            e'\t\n\u000b\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u200c\u200d\u2060\ufeff'
          ) = ''
        )
      )
      AND (
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
      AND (
        (
          "t0"."district_id" IS NULL
        ) AND (
          "t0"."age" IS NULL
        )
      )
      AND (
        (
          "t0"."weight" IS NULL
        )
        AND (
          "t0"."joined" IS NULL
        )
        AND (
          (
            "t0"."seen_at" IS NULL
          )
          AND (
            (
              "t0"."active" IS NULL
            ) AND (
              "t0"."answers" IS NULL
            )
          )
        )
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
