class Instance:
    status: str
    @property
    def instanceId(self) -> str: ...

class Application:
    @property
    def instances(self) -> list[Instance]: ...

class Applications:
    def get_application(self, app_name: str = ...) -> Application: ...

class EurekaClient:
    def __init__(
        self,
        eureka_server: str = ...,
        *,
        app_name: str = ...,
        instance_id: str = ...,
        instance_host: str = ...,
        instance_ip: str = ...,
        instance_port: int = ...,
        renewal_interval_in_secs: int = ...,
        duration_in_secs: int = ...,
    ) -> None: ...
    @property
    def applications(self) -> Applications: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def status_update(self, new_status: str) -> None: ...
    async def delete_status_override(self) -> None: ...
