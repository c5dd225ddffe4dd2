"""F3: where bindings, checkpoints and journals are kept: one interface (model/interfaces.py), one test suite.

    factory  memory            which store; the one that ends with the process
    queued  queue  revoked     what durable stores have in common: the loop's side, which never waits
    operations  shared         what it asks of their writers
    sqlite  tables  rows  writer  lock      SQLite: one file, one edge
    redis                      Redis or Valkey, which edges share, with:
    redis_dial  redis_sentinels  redis_link                 the way there
    redis_writer  redis_words  redis_rows                   what is said on it (redis.lua)
    redis_lease  redis_claims  redis_ours                   who may own what, and until when
    redis_fellows  redis_addresses                          the other edges; addresses that they share
"""
