package sqlite

// migrations are applied in order, once each; user_version counts them.
// Amounts are decimal text: they do not fit SQLite's integers. Jobs keep their
// rowid: rows are long and their ids random, so a table ordered by id would be
// written all over.
var migrations = []string{`
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE sessions (
	id        INTEGER PRIMARY KEY,
	client    BLOB NOT NULL,
	spender   BLOB NOT NULL,
	spender_n INTEGER NOT NULL,
	deposit   TEXT NOT NULL,
	reserved  TEXT NOT NULL,
	charged   TEXT NOT NULL,
	debited   TEXT NOT NULL,
	vouched   TEXT NOT NULL DEFAULT '0',
	through   INTEGER NOT NULL DEFAULT 0,
	expiry    INTEGER NOT NULL,
	due_at    INTEGER NOT NULL,
	fee_bps   INTEGER NOT NULL,
	state     INTEGER NOT NULL
);

CREATE TABLE spenders (
	n       INTEGER PRIMARY KEY AUTOINCREMENT,
	client  BLOB NOT NULL,
	address BLOB UNIQUE,
	created INTEGER NOT NULL
);

CREATE TABLE api_keys (
	hash    BLOB PRIMARY KEY,
	scope   TEXT NOT NULL,
	account BLOB NOT NULL,
	session INTEGER NOT NULL DEFAULT 0,
	created INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE jobs (
	id            BLOB PRIMARY KEY NOT NULL,
	session       INTEGER NOT NULL REFERENCES sessions(id),
	number        INTEGER NOT NULL,
	client        BLOB NOT NULL,
	model         TEXT NOT NULL,
	class         TEXT NOT NULL DEFAULT '',
	spec          TEXT NOT NULL,
	request       BLOB NOT NULL,
	idem_key      TEXT,
	idem_hash     BLOB,
	state         TEXT NOT NULL,
	payment       TEXT NOT NULL,
	max_price     TEXT NOT NULL,
	miner         BLOB,
	lease         TEXT NOT NULL DEFAULT '',
	attempts      INTEGER NOT NULL DEFAULT 0,
	price         TEXT NOT NULL DEFAULT '0',
	fee           TEXT NOT NULL DEFAULT '0',
	earned        TEXT NOT NULL DEFAULT '0',
	prompt_tokens INTEGER NOT NULL DEFAULT 0,
	completion_tokens INTEGER NOT NULL DEFAULT 0,
	finish_reason TEXT NOT NULL DEFAULT '',
	output        TEXT NOT NULL DEFAULT '',
	receipt       TEXT NOT NULL DEFAULT '',
	receipt_id    BLOB,
	batch         INTEGER,
	cancel        INTEGER NOT NULL DEFAULT 0,
	error_code    TEXT NOT NULL DEFAULT '',
	error_message TEXT NOT NULL DEFAULT '',
	created       INTEGER NOT NULL,
	finished      INTEGER NOT NULL DEFAULT 0,
	expires       INTEGER NOT NULL,
	UNIQUE (session, number)
);
CREATE UNIQUE INDEX jobs_idem ON jobs (session, idem_key) WHERE idem_key IS NOT NULL;
CREATE UNIQUE INDEX jobs_receipt ON jobs (receipt_id) WHERE receipt_id IS NOT NULL;
CREATE INDEX jobs_miner ON jobs (miner, created) WHERE receipt_id IS NOT NULL;
CREATE INDEX jobs_open ON jobs (session, number) WHERE payment = 'reserved';
CREATE INDEX jobs_charged ON jobs (session, number) WHERE payment = 'charged' AND batch IS NULL;
CREATE INDEX jobs_batch ON jobs (batch) WHERE batch IS NOT NULL;
CREATE INDEX jobs_recent ON jobs (session, created);

CREATE TABLE miners (
	address   BLOB PRIMARY KEY,
	signer    BLOB NOT NULL,
	offers    TEXT NOT NULL,
	slots     INTEGER NOT NULL,
	total     TEXT NOT NULL DEFAULT '0',
	batched   TEXT NOT NULL DEFAULT '0',
	credited  TEXT NOT NULL DEFAULT '0',
	completed INTEGER NOT NULL DEFAULT 0,
	seen      INTEGER NOT NULL
) WITHOUT ROWID;

-- Double entry: each row moves amount from one account to another.
CREATE TABLE journal (
	id      INTEGER PRIMARY KEY,
	at      INTEGER NOT NULL,
	session INTEGER NOT NULL,
	job     BLOB,
	kind    TEXT NOT NULL,
	source  TEXT NOT NULL,
	target  TEXT NOT NULL,
	amount  TEXT NOT NULL
);

CREATE TABLE batches (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	root     BLOB NOT NULL,
	payload  TEXT NOT NULL,
	state    TEXT NOT NULL,
	block_from INTEGER NOT NULL,
	tx       BLOB,
	block    INTEGER NOT NULL DEFAULT 0,
	anchor   TEXT NOT NULL DEFAULT '',
	created  INTEGER NOT NULL
);
CREATE INDEX batches_open ON batches (state) WHERE state <> 'proved';
`, `
ALTER TABLE sessions ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN settled TEXT NOT NULL DEFAULT '0';
ALTER TABLE sessions ADD COLUMN settled_through INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET number = coalesce((SELECT max(number) FROM jobs WHERE session = sessions.id), 0), settled = debited,
	settled_through = coalesce((SELECT max(number) FROM jobs WHERE session = sessions.id AND payment = 'settled'), 0);
ALTER TABLE miners ADD COLUMN settled TEXT NOT NULL DEFAULT '0';
UPDATE miners SET settled = credited;
`, `
-- How far the log has come in here: see hot.go.
CREATE TABLE log (epoch INTEGER NOT NULL, applied INTEGER NOT NULL);
INSERT INTO log VALUES (0, 0);
`, `
ALTER TABLE api_keys ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN made INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN rate INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN budget TEXT NOT NULL DEFAULT '0';
ALTER TABLE api_keys ADD COLUMN budget_day TEXT NOT NULL DEFAULT '0';
ALTER TABLE api_keys ADD COLUMN budget_month TEXT NOT NULL DEFAULT '0';
ALTER TABLE api_keys ADD COLUMN spent TEXT NOT NULL DEFAULT '0';
ALTER TABLE api_keys ADD COLUMN day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN spent_day TEXT NOT NULL DEFAULT '0';
ALTER TABLE api_keys ADD COLUMN month INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN spent_month TEXT NOT NULL DEFAULT '0';
CREATE INDEX api_keys_account ON api_keys (account, created);
CREATE INDEX api_keys_expire ON api_keys (expires) WHERE expires <> 0;
ALTER TABLE jobs ADD COLUMN key BLOB;
ALTER TABLE miners ADD COLUMN hold TEXT NOT NULL DEFAULT '';

CREATE TABLE used (
	id    BLOB PRIMARY KEY,
	until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX used_until ON used (until);

-- Who did what about accounts. Nothing in it is ever changed.
CREATE TABLE audit (
	n       INTEGER PRIMARY KEY,
	at      INTEGER NOT NULL,
	account BLOB NOT NULL,
	actor   BLOB NOT NULL,
	via     TEXT NOT NULL,
	action  TEXT NOT NULL,
	subject TEXT NOT NULL,
	detail  TEXT NOT NULL,
	prev    BLOB NOT NULL,
	hash    BLOB NOT NULL
);
CREATE INDEX audit_account ON audit (account, n);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_keeps BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
`, `
CREATE TABLE files (
	id      TEXT PRIMARY KEY,
	account BLOB NOT NULL,
	name    TEXT NOT NULL,
	purpose TEXT NOT NULL,
	bytes   INTEGER NOT NULL,
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	content BLOB NOT NULL
);
CREATE INDEX files_account ON files (account, created);
CREATE INDEX files_expire ON files (expires);

-- What OpenAI calls batches; the settlements have that name here.
CREATE TABLE bulks (
	id        TEXT PRIMARY KEY,
	account   BLOB NOT NULL,
	session   INTEGER NOT NULL,
	input     TEXT NOT NULL,
	open      INTEGER NOT NULL,
	created   INTEGER NOT NULL,
	keep      INTEGER NOT NULL,
	cancel    INTEGER NOT NULL DEFAULT 0,
	idem_key  TEXT,
	idem_hash BLOB,
	doc       TEXT NOT NULL
);
CREATE INDEX bulks_account ON bulks (account, created);
CREATE INDEX bulks_open ON bulks (created) WHERE open <> 0;
CREATE UNIQUE INDEX bulks_idem ON bulks (session, idem_key) WHERE idem_key IS NOT NULL;
`, `
ALTER TABLE jobs ADD COLUMN first_token INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN mined INTEGER NOT NULL DEFAULT 0;
`, `
ALTER TABLE sessions ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;
-- What clients signed that sign themselves.
CREATE TABLE vouchers (
	session    INTEGER NOT NULL REFERENCES sessions(id),
	through    INTEGER NOT NULL,
	cumulative TEXT NOT NULL,
	signature  BLOB NOT NULL,
	PRIMARY KEY (session, through)
) WITHOUT ROWID;
`, `
-- What was asked, answered and signed is most of a job's bytes, and is written once or twice. Its row changes more often, and is read for the sums.
CREATE TABLE texts (
	n       INTEGER PRIMARY KEY,
	spec    TEXT NOT NULL,
	request BLOB NOT NULL,
	output  TEXT NOT NULL,
	receipt TEXT NOT NULL
);
INSERT INTO texts (n, spec, request, output, receipt) SELECT rowid, spec, request, output, receipt FROM jobs;
ALTER TABLE jobs ADD COLUMN texts INTEGER;
UPDATE jobs SET texts = rowid;
ALTER TABLE jobs DROP COLUMN spec;
ALTER TABLE jobs DROP COLUMN request;
ALTER TABLE jobs DROP COLUMN output;
ALTER TABLE jobs DROP COLUMN receipt;
`}
