-- The same with --sql postgresql_typed.yaml, as that was then.
CREATE TABLE public._aetl_loads (
    load_id bigint NOT NULL,
    blob text NOT NULL COLLATE pg_catalog."C",
    etag text NOT NULL COLLATE pg_catalog."C",
    created text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL,
    started_at text NOT NULL,
    finished_at text COLLATE pg_catalog."C",
    seconds double precision,
    bytes bigint,
    tables text,
    error text,
    CONSTRAINT _aetl_loads_status_check CHECK ((status = ANY (ARRAY['loading'::text, 'loaded'::text, 'failed'::text])))
);
COMMENT ON TABLE public._aetl_loads IS 'aetl ledger 1';
ALTER TABLE public._aetl_loads ALTER COLUMN load_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public._aetl_loads_load_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public._aetl_rejects (
    load_id bigint NOT NULL,
    table_name text NOT NULL,
    "position" bigint NOT NULL,
    pointer text NOT NULL,
    reason text NOT NULL,
    record text NOT NULL
);
CREATE TABLE public.event_parents (
    child_id text NOT NULL COLLATE pg_catalog."C",
    parent_id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.events (
    id text NOT NULL COLLATE pg_catalog."C",
    ts timestamp with time zone NOT NULL,
    session_id text NOT NULL COLLATE pg_catalog."C",
    round bigint,
    kind text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL,
    content jsonb NOT NULL,
    raw_text text,
    meta jsonb
);
CREATE TABLE public.sessions (
    id text NOT NULL COLLATE pg_catalog."C",
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    meta jsonb
);
INSERT INTO public._aetl_loads OVERRIDING SYSTEM VALUE VALUES (1, 'backup_20250301T020000.json', 'earlier', '2025-03-01T02:00:00.000000+00:00', 'loaded', '2026-11-28T01:16:27.592582+00:00', '2026-11-28T01:16:27.811761+00:00', 0.365, 2111, '{"sessions": {"read": 3, "loaded": 3, "unchanged": 0, "rejected": 0}, "events": {"read": 6, "loaded": 6, "unchanged": 0, "rejected": 0}, "event_parents": {"read": 3, "loaded": 3, "unchanged": 0, "rejected": 0}}', NULL);
INSERT INTO public.event_parents VALUES ('e1', 'e0');
INSERT INTO public.event_parents VALUES ('e3', 'e2');
INSERT INTO public.event_parents VALUES ('e5', 'e4');
INSERT INTO public.events VALUES ('e0', '2025-03-01 02:00:00+00', 's0', 0, 'user_prompt', 'User', '{"text": "text 0"}', 'text 0', NULL);
INSERT INTO public.events VALUES ('e1', '2025-03-01 02:00:01+00', 's0', 1, 'user_prompt', 'User', '{"text": "text 1"}', 'text 1', NULL);
INSERT INTO public.events VALUES ('e2', '2025-03-01 02:00:02+00', 's1', 2, 'user_prompt', 'User', '{"text": "text 2"}', 'text 2', NULL);
INSERT INTO public.events VALUES ('e3', '2025-03-01 02:00:03+00', 's1', 3, 'user_prompt', 'User', '{"text": "text 3"}', 'text 3', NULL);
INSERT INTO public.events VALUES ('e4', '2025-03-01 02:00:04+00', 's2', 4, 'user_prompt', 'User', '{"text": "text 4"}', 'text 4', NULL);
INSERT INTO public.events VALUES ('e5', '2025-03-01 02:00:05+00', 's2', 5, 'user_prompt', 'User', '{"text": "text 5"}', 'text 5', NULL);
INSERT INTO public.sessions VALUES ('s0', '2025-03-01 02:00:00+00', '{"a": 1}');
INSERT INTO public.sessions VALUES ('s1', '2025-03-01 02:00:01+00', '{"a": 1}');
INSERT INTO public.sessions VALUES ('s2', '2025-03-01 02:00:02+00', '{"a": 1}');
SELECT pg_catalog.setval('public._aetl_loads_load_id_seq', 1, true);
ALTER TABLE ONLY public._aetl_loads
    ADD CONSTRAINT _aetl_loads_pkey PRIMARY KEY (load_id);
ALTER TABLE ONLY public.event_parents
    ADD CONSTRAINT event_parents_pkey PRIMARY KEY (child_id, parent_id);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
CREATE INDEX _aetl_loads_blob ON public._aetl_loads USING btree (blob, etag) WHERE (status = 'loaded'::text);
CREATE INDEX _aetl_loads_created ON public._aetl_loads USING btree (created, blob) WHERE (status = 'loaded'::text);
CREATE INDEX _aetl_rejects_load ON public._aetl_rejects USING btree (load_id);
CREATE INDEX event_parents_parent ON public.event_parents USING btree (parent_id);
CREATE INDEX events_session_kind_ts ON public.events USING btree (session_id, kind, ts);
CREATE INDEX events_session_ts ON public.events USING btree (session_id, ts);
ALTER TABLE ONLY public._aetl_rejects
    ADD CONSTRAINT _aetl_rejects_load_id_fkey FOREIGN KEY (load_id) REFERENCES public._aetl_loads(load_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.event_parents
    ADD CONSTRAINT event_parents_child_id_fkey FOREIGN KEY (child_id) REFERENCES public.events(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.event_parents
    ADD CONSTRAINT event_parents_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.events(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.sessions(id) ON DELETE CASCADE;
