-- A ledger as the first release wrote it: jobs queued, running, found, won, doubt, failed and media.
BEGIN TRANSACTION;
CREATE TABLE accounts (
            account TEXT PRIMARY KEY,
            slots INTEGER NOT NULL CHECK (slots >= 0),
            submits INTEGER NOT NULL CHECK (submits >= 0)
        ) WITHOUT ROWID;
INSERT INTO "accounts" VALUES('acedata:default',3,5);
CREATE TABLE attempts (
            job INTEGER NOT NULL,
            number INTEGER NOT NULL,
            id TEXT NOT NULL UNIQUE,
            account TEXT NOT NULL,
            state TEXT NOT NULL,
            version INTEGER NOT NULL,
            slot INTEGER NOT NULL,
            superseded INTEGER NOT NULL,
            abandoned INTEGER NOT NULL,
            owner TEXT,
            not_before REAL NOT NULL,
            claimed_at REAL,
            lease_until REAL NOT NULL,
            resolve_after REAL NOT NULL,
            slot_until REAL NOT NULL,
            negatives INTEGER NOT NULL,
            task_id BLOB,
            task TEXT,
            bound_by TEXT,
            outcome TEXT,
            PRIMARY KEY (job, number)
        ) WITHOUT ROWID;
INSERT INTO "attempts" VALUES(1,1,'queued-1','acedata:default','queued',0,0,0,0,NULL,0.0,NULL,0.0,0.0,0.0,0,NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(2,1,'running-1','acedata:default','running',2,1,0,0,'o',0.0,1100.0,1176.0,1580.0,3030.0,0,'t1','["t1",{"a":1}]','answer',NULL);
INSERT INTO "attempts" VALUES(3,1,'found-1','acedata:default','running',2,1,0,0,'o',0.0,1100.0,1176.0,1580.0,3030.0,0,'t2','["t2",{}]','history',NULL);
INSERT INTO "attempts" VALUES(4,1,'won-1','acedata:default','succeeded',3,0,0,0,'o',0.0,1100.0,1176.0,1580.0,3030.0,0,'t3','["t3",{}]','answer','["Succeeded",{"task":["t3",{}],"results":[["v","https://cdn.example.com/v.mp4",null,5.0,"succeeded"]],"raw":{"id":"t3"}}]');
INSERT INTO "attempts" VALUES(5,1,'doubt-1','acedata:default','ambiguous',2,1,0,0,'o',0.0,1100.0,1176.0,1580.0,3030.0,0,NULL,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(6,1,'failed-1','acedata:default','failed',2,0,0,0,'o',0.0,1100.0,1176.0,1580.0,3030.0,0,'t5','["t5",{}]','answer','["Failed",{"task":["t5",{}],"reason":"content","message":"no","charged":"unknown"}]');
INSERT INTO "attempts" VALUES(7,1,'media-1','acedata:default','queued',0,0,0,0,NULL,0.0,NULL,0.0,0.0,0.0,0,NULL,NULL,NULL,NULL);
CREATE TABLE blob_uses (
            job INTEGER NOT NULL,
            sha256 TEXT NOT NULL,
            PRIMARY KEY (job, sha256)
        ) WITHOUT ROWID;
INSERT INTO "blob_uses" VALUES(7,'0cab1c9617404faf2b24e221e189ca5945813e14d3f766345b09ca13bbe28ffc');
INSERT INTO "blob_uses" VALUES(7,'6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d');
CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL);
INSERT INTO "blobs" VALUES('0cab1c9617404faf2b24e221e189ca5945813e14d3f766345b09ca13bbe28ffc',X'766964656F');
INSERT INTO "blobs" VALUES('6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d',X'696D616765');
CREATE TABLE history (
            job INTEGER NOT NULL,
            number INTEGER NOT NULL,
            version INTEGER NOT NULL,
            at REAL NOT NULL,
            before TEXT,
            after TEXT NOT NULL,
            note TEXT NOT NULL,
            PRIMARY KEY (job, number, version)
        ) WITHOUT ROWID;
INSERT INTO "history" VALUES(1,1,0,1000.0,NULL,'queued','created');
INSERT INTO "history" VALUES(2,1,0,1000.0,NULL,'queued','created');
INSERT INTO "history" VALUES(2,1,1,1100.0,'queued','submitting','Claim o');
INSERT INTO "history" VALUES(2,1,2,1100.0,'submitting','running','Evidence answer');
INSERT INTO "history" VALUES(3,1,0,1000.0,NULL,'queued','created');
INSERT INTO "history" VALUES(3,1,1,1100.0,'queued','submitting','Claim o');
INSERT INTO "history" VALUES(3,1,2,1100.0,'submitting','running','Evidence history');
INSERT INTO "history" VALUES(4,0,1,1100.0,'open','open','Evidence history');
INSERT INTO "history" VALUES(4,0,2,1100.0,'open','succeeded','Evidence answer');
INSERT INTO "history" VALUES(4,1,0,1000.0,NULL,'queued','created');
INSERT INTO "history" VALUES(4,1,1,1100.0,'queued','submitting','Claim o');
INSERT INTO "history" VALUES(4,1,2,1100.0,'submitting','running','Evidence answer');
INSERT INTO "history" VALUES(4,1,3,1100.0,'running','succeeded','Evidence answer');
INSERT INTO "history" VALUES(5,1,0,1000.0,NULL,'queued','created');
INSERT INTO "history" VALUES(5,1,1,1100.0,'queued','submitting','Claim o');
INSERT INTO "history" VALUES(5,1,2,1100.0,'submitting','ambiguous','Unknown o');
INSERT INTO "history" VALUES(6,0,1,1100.0,'open','failed','Evidence answer');
INSERT INTO "history" VALUES(6,1,0,1000.0,NULL,'queued','created');
INSERT INTO "history" VALUES(6,1,1,1100.0,'queued','submitting','Claim o');
INSERT INTO "history" VALUES(6,1,2,1100.0,'submitting','failed','Evidence answer');
INSERT INTO "history" VALUES(7,1,0,1000.0,NULL,'queued','created');
CREATE TABLE inbox (
            id INTEGER PRIMARY KEY,
            attempt_id TEXT NOT NULL,
            body_sha256 BLOB NOT NULL,
            received_at REAL NOT NULL,
            headers TEXT NOT NULL,
            body BLOB,
            done INTEGER NOT NULL,
            UNIQUE (attempt_id, body_sha256)
        );
INSERT INTO "inbox" VALUES(1,'doubt-1',X'44136FA355B3678A1146AD16F7E8649E94FB4FC21FE77E8310C060F61CAAFF8A',1100.0,'{"content-type": "application/json"}',X'7B7D',0);
INSERT INTO "inbox" VALUES(2,'orphan-1',X'44136FA355B3678A1146AD16F7E8649E94FB4FC21FE77E8310C060F61CAAFF8A',1100.0,'{}',X'7B7D',0);
CREATE TABLE jobs (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            version INTEGER NOT NULL,
            state TEXT NOT NULL,
            created_at REAL NOT NULL,
            cancel_requested INTEGER NOT NULL,
            winner TEXT,
            key TEXT,
            digest TEXT,
            request TEXT,
            files TEXT,
            extras TEXT
        );
INSERT INTO "jobs" VALUES(1,'queued',0,'open',1000.0,0,NULL,'key of queued','d','["Generate",{"seed":7,"prompt":"A cat"}]',NULL,NULL);
INSERT INTO "jobs" VALUES(2,'running',0,'open',1000.0,0,NULL,NULL,'d','["Generate",{"seed":7,"prompt":"A cat"}]',NULL,NULL);
INSERT INTO "jobs" VALUES(3,'found',0,'open',1000.0,0,NULL,NULL,'d','["Generate",{"seed":7,"prompt":"A cat"}]',NULL,NULL);
INSERT INTO "jobs" VALUES(4,'won',2,'succeeded',1000.0,0,'won-1','key of won','d','["Generate",{"seed":7,"prompt":"A cat"}]',NULL,'["[\"Pending\",{\"task\":[\"t4\",{}],\"state\":\"running\"}]"]');
INSERT INTO "jobs" VALUES(5,'doubt',0,'open',1000.0,0,NULL,NULL,'d','["Generate",{"seed":7,"prompt":"A cat"}]',NULL,NULL);
INSERT INTO "jobs" VALUES(6,'failed',1,'failed',1000.0,0,NULL,NULL,'d','["Generate",{"seed":7,"prompt":"A cat"}]',NULL,NULL);
INSERT INTO "jobs" VALUES(7,'media',0,'open',1000.0,0,NULL,NULL,NULL,'["Generate",{"prompt":"A dog","image":{"bytes":"6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"},"video":{"blob":"0cab1c9617404faf2b24e221e189ca5945813e14d3f766345b09ca13bbe28ffc","type":"video/mp4","name":"v.mp4"}}]','{"a.png":"abc"}',NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('epoch',1);
INSERT INTO "meta" VALUES('id','657ac6784da7d03f');
INSERT INTO "meta" VALUES('inode','2146641');
INSERT INTO "meta" VALUES('path','/jobs.db');
INSERT INTO "meta" VALUES('secret',X'0000000000000000000000000000000000000000000000000000000000000000');
CREATE UNIQUE INDEX jobs_key ON jobs (key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX attempts_task ON attempts (account, task_id) WHERE task_id IS NOT NULL;
CREATE INDEX attempts_open ON attempts (state) WHERE state IN ('ambiguous', 'queued', 'running', 'submitting', 'unresolved');
CREATE INDEX blob_uses_sha256 ON blob_uses (sha256);
CREATE INDEX inbox_pending ON inbox (id) WHERE done = 0;
COMMIT;
PRAGMA application_id = 1346980673;
PRAGMA user_version = 1;
