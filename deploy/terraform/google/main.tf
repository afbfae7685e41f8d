# The ground on Cloud Run, with Cloud SQL for PostgreSQL and a bucket.

terraform {
  required_version = ">= 1.6"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.0"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.6"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

resource "google_service_account" "ground" {
  account_id   = "${var.name}-ground"
  display_name = "Holdfast ground"
}

# Database: reachable only inside the network.

resource "google_compute_global_address" "services" {
  name          = "${var.name}-services"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
  network       = var.network
}

resource "google_service_networking_connection" "services" {
  network                 = var.network
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services.name]
}

resource "google_sql_database_instance" "ground" {
  name                = "${var.name}-ground"
  database_version    = "POSTGRES_17"
  region              = var.region
  deletion_protection = true
  depends_on          = [google_service_networking_connection.services]

  settings {
    edition           = "ENTERPRISE"
    tier              = var.database_tier
    availability_type = var.database_availability
    disk_autoresize   = true

    ip_configuration {
      ipv4_enabled    = false
      private_network = var.network
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
    }
  }
}

resource "google_sql_database" "ground" {
  name     = "holdfast"
  instance = google_sql_database_instance.ground.name
}

resource "random_password" "database" {
  length  = 32
  special = false
}

resource "google_sql_user" "ground" {
  name     = "holdfast"
  instance = google_sql_database_instance.ground.name
  password = random_password.database.result
}

resource "google_secret_manager_secret" "database" {
  secret_id = "${var.name}-database"
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "database" {
  secret      = google_secret_manager_secret.database.id
  secret_data = random_password.database.result
}

resource "google_secret_manager_secret_iam_member" "database" {
  secret_id = google_secret_manager_secret.database.id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${google_service_account.ground.email}"
}

# Recordings: nobody but the listed members may read or write.

resource "google_storage_bucket" "recordings" {
  name                        = var.bucket
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  lifecycle_rule {
    condition {
      age = var.archive_after_days
    }
    action {
      type          = "SetStorageClass"
      storage_class = "COLDLINE"
    }
  }

  # Parts of uploads that nobody resumes.
  lifecycle_rule {
    condition {
      age = 14
    }
    action {
      type = "AbortIncompleteMultipartUpload"
    }
  }
}

resource "google_storage_bucket_iam_member" "ground" {
  bucket = google_storage_bucket.recordings.name
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:${google_service_account.ground.email}"
}

# Robots upload with an account of their own, whose keys you make.
resource "google_service_account" "robots" {
  account_id   = "${var.name}-robots"
  display_name = "Holdfast robots"
}

# They create and read, and cannot replace or delete.
resource "google_storage_bucket_iam_member" "robots" {
  for_each = toset(["roles/storage.objectCreator", "roles/storage.objectViewer"])
  bucket   = google_storage_bucket.recordings.name
  role     = each.value
  member   = "serviceAccount:${google_service_account.robots.email}"
}

# The ground. Cloud Run ends TLS, and robots connect with wss://.

resource "google_cloud_run_v2_service" "ground" {
  name                = "${var.name}-ground"
  location            = var.region
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = false
  depends_on          = [google_secret_manager_secret_iam_member.database]

  template {
    service_account = google_service_account.ground.email
    # The longest that Cloud Run keeps a connection. Robots then connect again.
    timeout                          = "3600s"
    max_instance_request_concurrency = 1000
    session_affinity                 = true

    # One process, without a bus. It runs between requests, too.
    scaling {
      min_instance_count = 1
      max_instance_count = 1
    }

    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"
      network_interfaces {
        network    = var.network
        subnetwork = var.subnetwork
      }
    }

    containers {
      image = var.image
      args = [
        "ground",
        "--data=/tmp/ground",
        "--listen=0.0.0.0:8090",
        "--log-format=json",
        "--database=postgres://holdfast@${google_sql_database_instance.ground.private_ip_address}/holdfast?sslmode=no-verify",
      ]

      env {
        name = "PGPASSWORD"
        value_source {
          secret_key_ref {
            secret  = google_secret_manager_secret.database.secret_id
            version = google_secret_manager_secret_version.database.version
          }
        }
      }

      ports {
        container_port = 8090
      }

      resources {
        limits = {
          cpu    = "1"
          memory = "1Gi"
        }
        cpu_idle = false
      }

      startup_probe {
        period_seconds    = 2
        failure_threshold = 60
        http_get {
          path = "/healthz"
        }
      }

      liveness_probe {
        http_get {
          path = "/healthz"
        }
      }
    }
  }
}

# Robots and people show tokens of Holdfast, which the ground checks itself.
resource "google_cloud_run_v2_service_iam_member" "everybody" {
  name     = google_cloud_run_v2_service.ground.name
  location = google_cloud_run_v2_service.ground.location
  role     = "roles/run.invoker"
  member   = "allUsers"
}
