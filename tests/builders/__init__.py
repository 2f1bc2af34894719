"""What tests of several rooms make: models, pictures, recordings and files; a module a subject."""
