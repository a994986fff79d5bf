-- 008: execution tracking. Runs statement by statement, outside a transaction.
-- FAULT 5: projects that ran before it keep execution_started_at NULL (no backfill),
-- and the times have no zone although the model says they have one.
ALTER TABLE llm_project_config ADD COLUMN IF NOT EXISTS execution_status varchar(20) DEFAULT 'pending';
ALTER TABLE llm_project_config ADD COLUMN IF NOT EXISTS execution_started_at timestamp NULL;
ALTER TABLE llm_project_config ADD COLUMN IF NOT EXISTS execution_completed_at timestamp NULL;
ALTER TABLE llm_project_config ADD COLUMN IF NOT EXISTS execution_error text NULL;
ALTER TABLE llm_project_config ADD COLUMN IF NOT EXISTS output_folder_path varchar(500) NULL;
UPDATE llm_project_config SET execution_status = 'pending' WHERE execution_status IS NULL;
ALTER TABLE llm_project_config DROP CONSTRAINT IF EXISTS chk_execution_status;
ALTER TABLE llm_project_config ADD CONSTRAINT chk_execution_status CHECK (execution_status IN ('pending', 'running', 'completed', 'failed', 'paused'));
CREATE INDEX IF NOT EXISTS ix_llm_projects_execution_status ON llm_project_config (execution_status);
CREATE INDEX IF NOT EXISTS ix_llm_projects_activation_code ON llm_project_config (activation_code_id);
CREATE INDEX IF NOT EXISTS ix_llm_projects_execution_started ON llm_project_config (execution_started_at);
