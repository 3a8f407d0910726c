CREATE TABLE files (
	id      text PRIMARY KEY,
	account bytea NOT NULL,
	name    bytea NOT NULL,
	purpose bytea NOT NULL,
	bytes   bigint NOT NULL,
	created bigint NOT NULL,
	expires bigint NOT NULL,
	content bytea NOT NULL
);
CREATE INDEX files_account ON files (account, created);
CREATE INDEX files_expire ON files (expires);

-- What OpenAI calls batches; the settlements have that name here.
CREATE TABLE bulks (
	id        text PRIMARY KEY,
	account   bytea NOT NULL,
	session   bigint NOT NULL,
	input     text NOT NULL,
	open      boolean NOT NULL,
	created   bigint NOT NULL,
	keep      bigint NOT NULL,
	cancel    bigint NOT NULL DEFAULT 0,
	idem_key  bytea,
	idem_hash bytea,
	doc       bytea NOT NULL
);
CREATE INDEX bulks_account ON bulks (account, created);
CREATE INDEX bulks_open ON bulks (created) WHERE open;
CREATE UNIQUE INDEX bulks_idem ON bulks (session, idem_key) WHERE idem_key IS NOT NULL;

-- Content is dropped by age; this costs next to nothing to keep.
CREATE INDEX jobs_created ON jobs USING brin (created);
