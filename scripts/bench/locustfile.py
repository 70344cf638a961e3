"""What Locust is measured with: one GET."""

from locust import HttpUser, task


class Visitor(HttpUser):
    @task
    def get(self):
        self.client.get("/")
