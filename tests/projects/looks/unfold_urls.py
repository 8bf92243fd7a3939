from django.contrib import admin
from django.urls import include, path
from unfold.admin import ModelAdmin as UnfoldModelAdmin

from django_introspection.admin import ClientAdmin, TokenAdmin
from django_introspection.models import Client, Token


class UnfoldClientAdmin(UnfoldModelAdmin, ClientAdmin):
    pass


class UnfoldTokenAdmin(TokenAdmin, UnfoldModelAdmin):
    pass


admin.site.unregister([Client, Token])
admin.site.register(Client, UnfoldClientAdmin)
admin.site.register(Token, UnfoldTokenAdmin)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("oauth/", include("django_introspection.urls")),
]
