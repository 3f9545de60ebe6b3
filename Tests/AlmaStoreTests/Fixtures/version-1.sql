PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE owners (
    id TEXT PRIMARY KEY NOT NULL,
    pid INTEGER NOT NULL,
    kind TEXT NOT NULL,
    started INTEGER NOT NULL
) STRICT;
INSERT INTO owners VALUES('131282f4-a06a-419a-8f02-d32222b3fa66',22917,'embedded',1795545564226);
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT REFERENCES owners(id),
    tool TEXT NOT NULL,
    user TEXT NOT NULL,
    role TEXT NOT NULL,
    origin TEXT NOT NULL,
    agent TEXT,
    restricted INTEGER NOT NULL,
    conversation TEXT,
    workspace TEXT,
    effect TEXT NOT NULL,
    rules TEXT NOT NULL,
    reason TEXT NOT NULL,
    profile TEXT NOT NULL,
    policy_name TEXT NOT NULL,
    policy_sha256 TEXT NOT NULL,
    state TEXT NOT NULL,
    status TEXT,
    created INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER,
    input TEXT NOT NULL,
    result TEXT
) STRICT;
INSERT INTO runs VALUES(1,'r1',NULL,'python','ann','user','user',NULL,0,NULL,NULL,'allow','["all"]','why not','python','default','ab','ended','ok',1000,NULL,9000,'{"code":"print(''ü'')"}','{"success":true}');
INSERT INTO runs VALUES(2,'r2','131282f4-a06a-419a-8f02-d32222b3fa66','python','ann','user','user',NULL,0,NULL,NULL,'allow','["all"]','why not','python','default','ab','awaiting_approval',NULL,1000,NULL,NULL,'{"code":"print(1)"}',NULL);
CREATE TABLE events (
    run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    time INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (run, sequence)
) STRICT, WITHOUT ROWID;
INSERT INTO events VALUES(1,1,'run.accepted',2000,'{"n":1}');
INSERT INTO events VALUES(1,2,'run.finished',2000,'{"n":2}');
CREATE TABLE approvals (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
    call_hash TEXT NOT NULL,
    tool TEXT NOT NULL,
    workspace TEXT,
    user TEXT NOT NULL,
    role TEXT NOT NULL,
    origin TEXT NOT NULL,
    agent TEXT,
    restricted INTEGER NOT NULL,
    reason TEXT NOT NULL,
    rules TEXT NOT NULL,
    state TEXT NOT NULL,
    resolver TEXT,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    resolved INTEGER,
    input TEXT NOT NULL
) STRICT;
INSERT INTO approvals VALUES(1,'a2',2,'cd','shell',NULL,'ann','user','agent','coder',1,'shell asks','["ask-shell"]','pending',NULL,3000,603000,NULL,'{"command":"ls"}');
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    run TEXT,
    user TEXT,
    data TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
INSERT INTO audit VALUES(1,4000,'run.decided','r1','ann','{"n":1}','f21543a50000786ec8f8c32b2f2e36b04821cefc57aad89d6fce9179f4fafce1');
INSERT INTO audit VALUES(2,9000,'run.ended','r1',NULL,'{}','9f4bd28ebb21849055c5edd33d8ba00af816168b8f3e320e7cc02ebb900cd9d1');
CREATE INDEX runs_open ON runs(owner) WHERE owner IS NOT NULL;
CREATE INDEX runs_user ON runs(user);
CREATE INDEX runs_created ON runs(created);
CREATE INDEX approvals_run ON approvals(run);
CREATE INDEX approvals_pending ON approvals(number) WHERE state = 'pending';
COMMIT;
