# The ground on ECS (Fargate) behind a load balancer, with RDS for PostgreSQL.

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.60"
    }
  }
}

provider "aws" {
  region = var.region
}

# Network: the internet reaches the load balancer, it the ground, and that the database.

resource "aws_security_group" "load_balancer" {
  name   = "${var.name}-load-balancer"
  vpc_id = var.vpc_id

  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = var.allowed_cidrs
  }

  egress {
    from_port   = 8090
    to_port     = 8090
    protocol    = "tcp"
    cidr_blocks = [var.vpc_cidr]
  }
}

resource "aws_security_group" "ground" {
  name   = "${var.name}-ground"
  vpc_id = var.vpc_id

  ingress {
    from_port       = 8090
    to_port         = 8090
    protocol        = "tcp"
    security_groups = [aws_security_group.load_balancer.id]
  }

  egress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    from_port   = 5432
    to_port     = 5432
    protocol    = "tcp"
    cidr_blocks = [var.vpc_cidr]
  }
}

resource "aws_security_group" "database" {
  name   = "${var.name}-database"
  vpc_id = var.vpc_id

  ingress {
    from_port       = 5432
    to_port         = 5432
    protocol        = "tcp"
    security_groups = [aws_security_group.ground.id]
  }
}

# Database: AWS makes the password and keeps it in Secrets Manager.

resource "aws_db_subnet_group" "ground" {
  name       = "${var.name}-ground"
  subnet_ids = var.private_subnet_ids
}

resource "aws_db_instance" "ground" {
  identifier                  = "${var.name}-ground"
  engine                      = "postgres"
  engine_version              = "17"
  instance_class              = var.database_class
  allocated_storage           = 20
  max_allocated_storage       = 500
  storage_encrypted           = true
  multi_az                    = var.database_standby
  db_name                     = "holdfast"
  username                    = "holdfast"
  manage_master_user_password = true
  db_subnet_group_name        = aws_db_subnet_group.ground.name
  vpc_security_group_ids      = [aws_security_group.database.id]
  publicly_accessible         = false
  backup_retention_period     = 14
  deletion_protection         = true
  skip_final_snapshot         = false
  final_snapshot_identifier   = "${var.name}-ground-final"
}

# The ground.

resource "aws_cloudwatch_log_group" "ground" {
  name              = "/holdfast/${var.name}-ground"
  retention_in_days = 30
}

resource "aws_ecs_cluster" "ground" {
  name = "${var.name}-ground"
}

resource "aws_ecs_task_definition" "ground" {
  family                   = "${var.name}-ground"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.ground.arn

  volume {
    name = "data"
  }

  volume {
    name = "temporary"
  }

  container_definitions = jsonencode([{
    name                   = "ground"
    image                  = var.image
    essential              = true
    readonlyRootFilesystem = true
    stopTimeout            = 10
    command = [
      "ground",
      "--data=/var/lib/holdfast",
      "--listen=0.0.0.0:8090",
      "--log-format=json",
      "--database=postgres://holdfast@${aws_db_instance.ground.endpoint}/holdfast?sslmode=no-verify",
      "--store=s3://${aws_s3_bucket.recordings.id}",
      "--s3-region=${var.region}",
    ]
    secrets = [{
      name      = "PGPASSWORD"
      valueFrom = "${aws_db_instance.ground.master_user_secret[0].secret_arn}:password::"
    }]
    portMappings = [{ containerPort = 8090 }]
    mountPoints = [
      { sourceVolume = "data", containerPath = "/var/lib/holdfast" },
      { sourceVolume = "temporary", containerPath = "/tmp" },
    ]
    healthCheck = {
      command     = ["CMD", "node", "/opt/holdfast/healthy.mjs"]
      interval    = 10
      startPeriod = 60
    }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.ground.name
        awslogs-region        = var.region
        awslogs-stream-prefix = "ground"
      }
    }
  }])
}

resource "aws_ecs_service" "ground" {
  name            = "${var.name}-ground"
  cluster         = aws_ecs_cluster.ground.id
  task_definition = aws_ecs_task_definition.ground.arn
  launch_type     = "FARGATE"
  # One process, without a bus.
  desired_count          = 1
  enable_execute_command = true

  network_configuration {
    subnets         = var.private_subnet_ids
    security_groups = [aws_security_group.ground.id]
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.ground.arn
    container_name   = "ground"
    container_port   = 8090
  }

  depends_on = [aws_lb_listener.ground]
}

resource "aws_lb" "ground" {
  name            = "${var.name}-ground"
  subnets         = var.public_subnet_ids
  security_groups = [aws_security_group.load_balancer.id]
  # Longer than a robot is silent.
  idle_timeout = 120
}

resource "aws_lb_target_group" "ground" {
  name        = "${var.name}-ground"
  vpc_id      = var.vpc_id
  target_type = "ip"
  port        = 8090
  protocol    = "HTTP"

  health_check {
    path = "/healthz"
  }
}

resource "aws_lb_listener" "ground" {
  load_balancer_arn = aws_lb.ground.arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = var.certificate_arn
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.ground.arn
  }
}
