ALTER TABLE jobs ADD COLUMN owner bigint NOT NULL DEFAULT 0;
CREATE INDEX jobs_leased ON jobs (owner) WHERE payment = 'reserved' AND state <> 'queued';

ALTER TABLE batches ADD COLUMN nonce bigint;

CREATE TABLE replicas (
	id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	beat  timestamptz NOT NULL,
	state bytea NOT NULL DEFAULT ''
);

-- At most one row: who settles. The token grows when the holder changes.
CREATE TABLE leader (
	one    boolean PRIMARY KEY DEFAULT true CHECK (one),
	holder bigint NOT NULL,
	token  bigint NOT NULL,
	until  timestamptz NOT NULL
);
