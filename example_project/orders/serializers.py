from rest_framework import serializers

from .models import Order


class OrderSerializer(serializers.ModelSerializer[Order]):
    class Meta:
        model = Order
        fields = ("id", "item", "quantity", "ordered_by")
        read_only_fields = ("ordered_by",)
