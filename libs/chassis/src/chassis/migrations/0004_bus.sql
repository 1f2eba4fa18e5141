-- The streams of the bus as the service knows them: one with another time of creation is a new one, and
-- what the old one held is lost.
CREATE TABLE bus_streams (
    name       text PRIMARY KEY,
    created_at timestamptz NOT NULL
);

-- How often replicas that shut down have handed a message back: a delivery that is no failure.
CREATE TABLE hand_backs (
    message_id uuid PRIMARY KEY,
    times      integer NOT NULL DEFAULT 1,
    last_at    timestamptz NOT NULL DEFAULT now()
);
