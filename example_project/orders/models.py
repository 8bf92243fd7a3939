from django.db import models


class Order(models.Model):
    item = models.CharField(max_length=100)
    quantity = models.PositiveIntegerField(default=1)
    ordered_by = models.CharField(max_length=255, editable=False)

    def __str__(self) -> str:
        return f"{self.quantity} {self.item}"
