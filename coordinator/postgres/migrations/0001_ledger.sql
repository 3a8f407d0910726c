CREATE TABLE meta (
	key   text PRIMARY KEY,
	value text NOT NULL
);

CREATE TABLE sessions (
	id        bigint PRIMARY KEY,
	client    bytea NOT NULL,
	spender   bytea NOT NULL,
	spender_n bigint NOT NULL,
	deposit   numeric(39) NOT NULL,
	reserved  numeric(39) NOT NULL DEFAULT 0,
	charged   numeric(39) NOT NULL DEFAULT 0,
	debited   numeric(39) NOT NULL,
	vouched   numeric(39) NOT NULL DEFAULT 0,
	through   bigint NOT NULL DEFAULT 0,
	settled   numeric(39) NOT NULL DEFAULT 0,
	settled_through bigint NOT NULL DEFAULT 0,
	number    bigint NOT NULL DEFAULT 0,
	expiry    bigint NOT NULL,
	due_at    bigint NOT NULL,
	fee_bps   integer NOT NULL,
	state     integer NOT NULL,
	CHECK (reserved >= 0 AND charged >= 0)
);

CREATE TABLE spenders (
	n       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	client  bytea NOT NULL,
	address bytea UNIQUE,
	created bigint NOT NULL
);

CREATE TABLE api_keys (
	hash    bytea PRIMARY KEY,
	scope   text NOT NULL,
	account bytea NOT NULL,
	session bigint NOT NULL DEFAULT 0,
	created bigint NOT NULL
);

CREATE TABLE batches (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	root       bytea NOT NULL,
	payload    bytea NOT NULL,
	state      text NOT NULL,
	block_from bigint NOT NULL,
	tx         bytea,
	block      bigint NOT NULL DEFAULT 0,
	anchor     bytea NOT NULL DEFAULT '',
	created    bigint NOT NULL
);
CREATE INDEX batches_open ON batches (id) WHERE state <> 'proved';

CREATE TABLE jobs (
	id            bytea PRIMARY KEY,
	session       bigint NOT NULL REFERENCES sessions (id),
	number        bigint NOT NULL,
	client        bytea NOT NULL,
	model         bytea NOT NULL,
	class         bytea NOT NULL DEFAULT '',
	spec          bytea NOT NULL,
	request       bytea NOT NULL,
	idem_key      bytea,
	idem_hash     bytea,
	state         text NOT NULL,
	payment       text NOT NULL,
	max_price     numeric(39) NOT NULL,
	miner         bytea,
	lease         text NOT NULL DEFAULT '',
	attempts      integer NOT NULL DEFAULT 0,
	price         numeric(39) NOT NULL DEFAULT 0,
	fee           numeric(39) NOT NULL DEFAULT 0,
	earned        numeric(39) NOT NULL DEFAULT 0,
	prompt_tokens     bigint NOT NULL DEFAULT 0,
	completion_tokens bigint NOT NULL DEFAULT 0,
	finish_reason bytea NOT NULL DEFAULT '',
	output        bytea NOT NULL DEFAULT '',
	receipt       bytea,
	receipt_id    bytea,
	batch         bigint REFERENCES batches (id),
	cancel        boolean NOT NULL DEFAULT false,
	error_code    bytea NOT NULL DEFAULT '',
	error_message bytea NOT NULL DEFAULT '',
	created       bigint NOT NULL,
	finished      bigint NOT NULL DEFAULT 0,
	expires       bigint NOT NULL,
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
	address   bytea PRIMARY KEY,
	signer    bytea NOT NULL,
	offers    bytea NOT NULL,
	slots     integer NOT NULL,
	total     numeric(39) NOT NULL DEFAULT 0,
	batched   numeric(39) NOT NULL DEFAULT 0,
	settled   numeric(39) NOT NULL DEFAULT 0,
	credited  numeric(39) NOT NULL DEFAULT 0,
	completed bigint NOT NULL DEFAULT 0,
	seen      bigint NOT NULL
);

-- Double entry: each row moves amount from one account to another.
CREATE TABLE journal (
	id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at      bigint NOT NULL,
	session bigint NOT NULL,
	job     bytea NOT NULL,
	kind    text NOT NULL,
	source  text NOT NULL,
	target  text NOT NULL,
	amount  numeric(39) NOT NULL CHECK (amount > 0)
);
