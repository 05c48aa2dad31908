-- Let the server end the present transaction if a statement, or a silence, lasts too long (milliseconds as text): the
-- process may have been stopped, or its host is gone. A wait for another transaction's lock (a migration's, say) ends
-- sooner than the batch, which distinguishes it from a statement that takes too long by itself.
-- `lock` and `fetch` are planned for the indexes made for them, whatever the statistics of the moment say (of a log that
-- was empty when it was last analyzed, for one); `fetch` restores the settings.
select set_config('statement_timeout', :'whole', true), set_config('lock_timeout', :'lock', true),
    set_config('idle_in_transaction_session_timeout', :'whole', true),
    set_config(case when current_setting('server_version_num')::int >= 170000 then 'transaction_timeout'
        else 'rhiz.transaction_timeout' end, :'transaction', true),
    set_config('plan_cache_mode', 'force_generic_plan', true),
    set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)
