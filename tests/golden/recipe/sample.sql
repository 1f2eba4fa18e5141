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
  /* 1. Draw a sample */
  SELECT
    "t4"."id",
    "t4"."full_name",
    "t4"."district_id",
    "t4"."age",
    "t4"."weight",
    "t4"."joined",
    "t4"."seen_at",
    "t4"."active",
    "t4"."answers"
  FROM (
    SELECT
      *
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
        "t2"."place",
        "t2"."lot",
        ROW_NUMBER() OVER (
          ORDER BY "t2"."lot" COLLATE "C" ASC, "t2"."id" COLLATE "C" ASC, "t2"."full_name" COLLATE "C" ASC, "t2"."district_id" ASC, "t2"."age" ASC, "t2"."weight" ASC, "t2"."joined" ASC, "t2"."seen_at" ASC, "t2"."active" ASC, CAST("t2"."answers" AS VARCHAR) COLLATE "C" ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) - 1 AS "drawn",
        COUNT(*) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS "size"
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
          "t1"."place",
          MD5(
            CAST(ROW(
              7,
              "t1"."place",
              "t1"."id",
              "t1"."full_name",
              "t1"."district_id",
              "t1"."age",
              "t1"."weight",
              "t1"."joined",
              "t1"."seen_at",
              "t1"."active",
              "t1"."answers"
            ) AS VARCHAR)
          ) AS "lot"
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
            ROW_NUMBER() OVER (
              PARTITION BY "t0"."id", "t0"."full_name", "t0"."district_id", "t0"."age", "t0"."weight", "t0"."joined", "t0"."seen_at", "t0"."active", "t0"."answers"
              ORDER BY "t0"."id" COLLATE "C" ASC, "t0"."full_name" COLLATE "C" ASC, "t0"."district_id" ASC, "t0"."age" ASC, "t0"."weight" ASC, "t0"."joined" ASC, "t0"."seen_at" ASC, "t0"."active" ASC, CAST("t0"."answers" AS VARCHAR) COLLATE "C" ASC
              ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
            ) - 1 AS "place"
          FROM "step_0" AS "t0"
        ) AS "t1"
      ) AS "t2"
    ) AS "t3"
    WHERE
      (
        CAST("t3"."drawn" AS DECIMAL) * CAST(100 AS DECIMAL)
      ) < (
        CAST("t3"."size" AS DECIMAL) * CAST(CAST('12.5' AS DECIMAL) AS DECIMAL)
      )
  ) AS "t4"
), "step_2" AS (
  /* 2. Draw a sample */
  SELECT
    "t4"."id",
    "t4"."full_name",
    "t4"."district_id",
    "t4"."age",
    "t4"."weight",
    "t4"."joined",
    "t4"."seen_at",
    "t4"."active",
    "t4"."answers"
  FROM (
    SELECT
      *
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
        "t1"."place",
        MD5(
          CAST(ROW(
            1,
            "t1"."place",
            "t1"."id",
            "t1"."full_name",
            "t1"."district_id",
            "t1"."age",
            "t1"."weight",
            "t1"."joined",
            "t1"."seen_at",
            "t1"."active",
            "t1"."answers"
          ) AS VARCHAR)
        ) AS "lot"
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
          ROW_NUMBER() OVER (
            PARTITION BY "t0"."id", "t0"."full_name", "t0"."district_id", "t0"."age", "t0"."weight", "t0"."joined", "t0"."seen_at", "t0"."active", "t0"."answers"
            ORDER BY "t0"."id" COLLATE "C" ASC, "t0"."full_name" COLLATE "C" ASC, "t0"."district_id" ASC, "t0"."age" ASC, "t0"."weight" ASC, "t0"."joined" ASC, "t0"."seen_at" ASC, "t0"."active" ASC, CAST("t0"."answers" AS VARCHAR) COLLATE "C" ASC
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
          ) - 1 AS "place"
        FROM "step_1" AS "t0"
      ) AS "t1"
    ) AS "t2"
    ORDER BY
      "t2"."lot" COLLATE "C" ASC,
      "t2"."id" COLLATE "C" ASC,
      "t2"."full_name" COLLATE "C" ASC,
      "t2"."district_id" ASC,
      "t2"."age" ASC,
      "t2"."weight" ASC,
      "t2"."joined" ASC,
      "t2"."seen_at" ASC,
      "t2"."active" ASC,
      CAST("t2"."answers" AS VARCHAR) COLLATE "C" ASC
    LIMIT 50
  ) AS "t4"
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
