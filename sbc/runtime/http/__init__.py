"""Sessions made of HTTP exchanges: `front` takes requests in, `session` pins them, `exchange` carries one."""
