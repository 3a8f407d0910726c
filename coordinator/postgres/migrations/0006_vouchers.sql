ALTER TABLE sessions ADD COLUMN alone bigint NOT NULL DEFAULT 0;

-- What clients signed that sign themselves.
CREATE TABLE vouchers (
	session    bigint NOT NULL REFERENCES sessions (id),
	through    bigint NOT NULL,
	cumulative numeric(39) NOT NULL,
	signature  bytea NOT NULL,
	PRIMARY KEY (session, through)
);
