ALTER TABLE api_keys
	ADD COLUMN name         bytea NOT NULL DEFAULT '',
	ADD COLUMN made         boolean NOT NULL DEFAULT false,
	ADD COLUMN expires      bigint NOT NULL DEFAULT 0,
	ADD COLUMN rate         bigint NOT NULL DEFAULT 0,
	ADD COLUMN budget       numeric(39) NOT NULL DEFAULT 0,
	ADD COLUMN budget_day   numeric(39) NOT NULL DEFAULT 0,
	ADD COLUMN budget_month numeric(39) NOT NULL DEFAULT 0,
	ADD COLUMN spent        numeric(39) NOT NULL DEFAULT 0,
	ADD COLUMN day          bigint NOT NULL DEFAULT 0,
	ADD COLUMN spent_day    numeric(39) NOT NULL DEFAULT 0,
	ADD COLUMN month        bigint NOT NULL DEFAULT 0,
	ADD COLUMN spent_month  numeric(39) NOT NULL DEFAULT 0;
CREATE INDEX api_keys_account ON api_keys (account, created);
CREATE INDEX api_keys_expire ON api_keys (expires) WHERE expires <> 0;
ALTER TABLE jobs ADD COLUMN key bytea;
ALTER TABLE miners ADD COLUMN hold text NOT NULL DEFAULT '';

CREATE TABLE used (
	id    bytea PRIMARY KEY,
	until bigint NOT NULL
);
CREATE INDEX used_until ON used (until);

-- Who did what about accounts. Nothing in it is ever changed.
CREATE TABLE audit (
	n       bigint PRIMARY KEY,
	at      bigint NOT NULL,
	account bytea NOT NULL,
	actor   bytea NOT NULL,
	via     bytea NOT NULL,
	action  bytea NOT NULL,
	subject bytea NOT NULL,
	detail  bytea NOT NULL,
	prev    bytea NOT NULL,
	hash    bytea NOT NULL
);
CREATE INDEX audit_account ON audit (account, n);
CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit EXECUTE FUNCTION audit_stays();
