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
  /* 1. Mask */
  SELECT
    LEFT(
      ENCODE(
        SHA256(
          DECODE(RIGHT(COALESCE(NULLIF(CURRENT_SETTING('app.mask_key'), ''), 'no key'), 128), 'hex') || SHA256(
            DECODE(LEFT(COALESCE(NULLIF(CURRENT_SETTING('app.mask_key'), ''), 'no key'), 128), 'hex') || CONVERT_TO("t0"."id", 'UTF8')
          )
        ),
        'hex'
      ),
      32
    ) AS "id",
    "t0"."full_name",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_0" AS "t0"
), "step_2" AS (
  /* 2. Mask */
  SELECT
    "t0"."id",
    LPAD(
      CASE WHEN LENGTH("t0"."full_name") > 4 THEN RIGHT("t0"."full_name", 4) ELSE '' END,
      LENGTH("t0"."full_name"),
      '*'
    ) AS "full_name",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_1" AS "t0"
), "step_3" AS (
  /* 3. Mask */
  SELECT
    "t0"."id",
    "t0"."full_name",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    "t0"."joined",
    "t0"."seen_at",
    "t0"."active",
    CASE WHEN "t0"."answers" IS NULL THEN NULL ELSE '***' END AS "answers"
  FROM "step_2" AS "t0"
), "step_4" AS (
  /* 4. Mask */
  SELECT
    "t0"."id",
    "t0"."full_name",
    "t0"."district_id",
    "t0"."age",
    "t0"."weight",
    CAST(EXTRACT(YEAR FROM CAST("t0"."joined" AS TIMESTAMP)) AS BIGINT) AS "joined",
    "t0"."seen_at",
    "t0"."active",
    "t0"."answers"
  FROM "step_3" AS "t0"
), "step_5" AS (
  /* 5. Mask */
  SELECT
    "t0"."id",
    "t0"."full_name",
    "t0"."district_id",
    "t0"."age",
    ROUND("t0"."weight", 1) AS "weight",
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
