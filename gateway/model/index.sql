-- The index of the log, in a file of its own, see index.go. One with another PRAGMA user_version is made anew.

CREATE TABLE index_place ( -- one row; none while it is being made
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id  BLOB NOT NULL,   -- of the tables that it is of
  n   INTEGER NOT NULL -- of their transaction of which it was told last
);

-- Of each line of the log its words, and a token for each of its terms: one index for all that is asked of it.
-- The words come as filter.Words gives them, so that the tokenizer has nothing to decide; # begins a token of ours.
-- A row in a B-tree for each term of each line costs several times as much, because it ends up somewhere else each time.
CREATE VIRTUAL TABLE activity_index USING fts5 (text, content = '', columnsize = 0, tokenize = "ascii tokenchars '#'");
INSERT INTO activity_index (activity_index, rank) VALUES ('hashsize', 67108864); -- a transaction becomes one segment
INSERT INTO activity_index (activity_index, rank) VALUES ('automerge', 8);       -- of which so many are merged into a larger one
