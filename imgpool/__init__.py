"""Process folders of scientific images and photos on every core, without losing one."""
