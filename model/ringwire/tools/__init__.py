"""Front ends: the command lines and files through which Linux's users set a device up."""
