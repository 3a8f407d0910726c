package store

// schema is that of version, in SQLite's words; an index of another version is made again, since
// everything in it can be read from a node. Amounts are decimal text: they do
// not fit SQLite's integers. Transactions are found by the first eight bytes of
// their hash, which keeps the one index that is written all over small.
const (
	version = 2
	schema  = `
CREATE TABLE position (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	chain    INTEGER NOT NULL,
	genesis  BLOB NOT NULL,
	first    INTEGER NOT NULL,
	next     INTEGER NOT NULL,
	last     BLOB NOT NULL,
	txs      INTEGER NOT NULL,
	failed   INTEGER NOT NULL,
	events   INTEGER NOT NULL,
	gas      INTEGER NOT NULL,
	burned   TEXT NOT NULL
);

CREATE TABLE blocks (
	height    INTEGER PRIMARY KEY,
	tag       INTEGER NOT NULL,
	hash      BLOB NOT NULL,
	parent    BLOB NOT NULL,
	time      INTEGER NOT NULL,
	proposer  BLOB NOT NULL,
	gas_used  INTEGER NOT NULL,
	gas_limit INTEGER NOT NULL,
	base_fee  TEXT NOT NULL,
	txs       INTEGER NOT NULL,
	events    INTEGER NOT NULL
);
CREATE INDEX blocks_tag ON blocks (tag);

CREATE TABLE txs (
	height    INTEGER NOT NULL,
	idx       INTEGER NOT NULL,
	tag       INTEGER NOT NULL,
	hash      BLOB NOT NULL,
	sender    BLOB NOT NULL,
	receiver  BLOB,
	created   BLOB,
	value     TEXT NOT NULL,
	nonce     INTEGER NOT NULL,
	method    BLOB NOT NULL,
	ok        INTEGER NOT NULL,
	gas_limit INTEGER NOT NULL,
	gas_used  INTEGER NOT NULL,
	fee       TEXT NOT NULL,
	burned    TEXT NOT NULL,
	PRIMARY KEY (height, idx)
) WITHOUT ROWID;
CREATE INDEX txs_tag ON txs (tag);

CREATE TABLE touched (
	address BLOB NOT NULL,
	height  INTEGER NOT NULL,
	idx     INTEGER NOT NULL,
	PRIMARY KEY (address, height, idx)
) WITHOUT ROWID;

CREATE TABLE events (
	height   INTEGER NOT NULL,
	seq      INTEGER NOT NULL,
	idx      INTEGER NOT NULL,
	log      INTEGER NOT NULL,
	call     TEXT NOT NULL,
	contract TEXT NOT NULL,
	name     TEXT NOT NULL,
	args     TEXT NOT NULL,
	PRIMARY KEY (height, seq)
) WITHOUT ROWID;

CREATE TABLE subjects (
	kind   INTEGER NOT NULL,
	key    BLOB NOT NULL,
	height INTEGER NOT NULL,
	seq    INTEGER NOT NULL,
	PRIMARY KEY (kind, key, height, seq)
) WITHOUT ROWID;

CREATE TABLE holdings (
	holder BLOB NOT NULL,
	token  BLOB NOT NULL,
	PRIMARY KEY (holder, token)
) WITHOUT ROWID;
`
)

// tables are those of the schema.
var tables = []string{"position", "blocks", "txs", "touched", "events", "subjects", "holdings"}
