"""Process folders of images: scan → plan → preflight → run.

`imgpool.batch.plan.make_plan` turns `imgpool.batch.settings.RunSettings` into a `RunPlan`, which never changes;
`imgpool.batch.run.Runner` runs it. The other modules are the steps of these two. None of them prints anything.
"""
