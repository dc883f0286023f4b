"""What tests share: pictures, folders, daemons, fakes, machines. Nothing here is a test."""
