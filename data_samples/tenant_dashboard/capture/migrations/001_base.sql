CREATE TABLE llm_project_config (
    id integer PRIMARY KEY,
    project_id varchar(100) NOT NULL UNIQUE,
    client_name varchar(255) NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    activation_code_id integer,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz
);

CREATE TABLE agent_tasks (
    id integer PRIMARY KEY,
    task_id varchar(100) NOT NULL UNIQUE,
    project_id varchar(100) NOT NULL,
    agent_type varchar(50) NOT NULL,
    agent_id varchar(100),
    task_name varchar(255) NOT NULL,
    status varchar(20) NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'started', 'running', 'completed', 'failed', 'cancelled')),
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    completed_at timestamptz,
    failed_at timestamptz,
    progress_percentage double precision DEFAULT 0.0,
    tenant_id integer
);

CREATE INDEX idx_agent_tasks_project_status ON agent_tasks (project_id, status);
