"""Every statement of the workers on the tables of the ledger and of Procrastinate."""

from __future__ import annotations

from typing import Final, LiteralString

UNTASKED_AFTER: Final = 1.0
"""Seconds that an order may wait for the task that its own process gives it."""

WITHOUT_TASK: Final[LiteralString] = """
SELECT a.job_id, a.account FROM pika.attempts a JOIN pika.jobs j ON j.id = a.job_id
  JOIN pika.orders o ON o.job_id = a.job_id
WHERE a.state = 'queued' AND o.enqueued AND j.state = 'open' AND NOT j.cancel_requested
  AND j.created_at < extract(epoch FROM now()) - %(after)s
  AND NOT EXISTS (SELECT FROM procrastinate_jobs p WHERE p.queueing_lock = a.job_id AND p.status = 'todo')
  AND a.job_id NOT IN (SELECT p.queueing_lock FROM procrastinate_jobs p WHERE p.status = 'doing'
                       AND p.worker_id IS NOT NULL AND p.queueing_lock IS NOT NULL)
ORDER BY a.seq LIMIT %(limit)s
"""
"""Enqueued orders that no task brings to a worker; those of other callers are sent for whoever asks again."""

UNDELIVERED: Final[LiteralString] = """
SELECT j.id AS job_id, a.account FROM pika.jobs j JOIN pika.attempts a ON a.id = j.winner
WHERE j.state = 'succeeded' AND a.account = ANY(%(accounts)s)
  AND j.id IN (SELECT args->>'job_id' FROM procrastinate_jobs WHERE task_name = 'pika.process')
  AND j.id NOT IN (SELECT args->>'job_id' FROM procrastinate_jobs WHERE task_name = 'pika.deliver')
ORDER BY j.seq LIMIT %(limit)s
"""
"""Finished jobs of the workers' tasks that no task delivered or is to deliver."""

ENROL: Final[LiteralString] = """
INSERT INTO pika.workers (worker, label, version, accounts, places, max_concurrency)
VALUES (%(worker)s, %(label)s, %(version)s, %(accounts)s::text[], %(places)s, %(cap)s) ON CONFLICT DO NOTHING
"""
LEAVE: Final[LiteralString] = "DELETE FROM pika.workers WHERE worker = %(worker)s"
GONE: Final[LiteralString] = """
DELETE FROM pika.workers w WHERE NOT EXISTS (SELECT FROM procrastinate_workers p WHERE p.id = w.worker)
"""
